import { type INodeTypes, Workflow } from 'n8n-workflow';
import { McpGateway } from '../../credentials/McpGateway.credentials';
import { gatewayToken, startGateway } from '../support/mcpGateway';

jest.setTimeout(120_000);

const credential = new McpGateway();
const workflow = new Workflow({
	nodes: [],
	connections: {},
	active: false,
	nodeTypes: { getByName: jest.fn(), getByNameAndVersion: jest.fn(), getKnownTypes: jest.fn() } as INodeTypes,
});
const node = { id: '1', name: 'n', type: 't', typeVersion: 1, position: [0, 0] as [number, number], parameters: {} };

/** What n8n makes of an expression in a credential. */
const resolved = (expression: unknown, $credentials: { baseUrl: string; token: string }) =>
	workflow.expression.getSimpleParameterValue(node, expression as string, 'internal', { $credentials }) as string;

test.each([
	['', gatewayToken, 200],
	['/', gatewayToken, 200],
	['', 'another-token-than-that', 401],
])('its test with %j after the address and the token %s is answered %i', async (slash, token, status) => {
	const gateway = await startGateway();
	const values = { baseUrl: `http://127.0.0.1:${gateway.port}${slash}`, token };
	const { baseURL, url } = credential.test.request;
	const { Authorization } = credential.authenticate.properties.headers!;
	const reply = await fetch(`${resolved(baseURL, values)}${url}`, {
		headers: { Authorization: resolved(Authorization, values) },
	});
	expect(reply.status).toBe(status);
	await gateway.stop();
});
