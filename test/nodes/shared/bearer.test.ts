import { bearsToken } from '../../../nodes/shared/bearer';

const token = 'a-token-of-forty-characters-0123456789ab';

test.each([
	[`Bearer ${token}`, true],
	[`bearer ${token}`, true],
	...[
		'',
		token,
		`Bearer ${token}x`,
		`Bearer ${token.slice(1)}`,
		`Bearer  ${token}`,
		`Bearer ${token} `,
		`Basic ${token}`,
	].map((authorization): [string, boolean] => [authorization, false]),
])('%j bears the token: %s', (authorization, expected) => {
	expect(bearsToken({ headers: { authorization } }, token)).toBe(expected);
});

test('nothing given is no token, not even the empty one', () => {
	expect(bearsToken({ headers: {} }, token)).toBe(false);
	expect(bearsToken({ headers: { authorization: 'Bearer ' } }, '')).toBe(false);
	expect(bearsToken({ headers: {} }, '')).toBe(false);
});
