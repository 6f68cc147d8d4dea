/**
 * Why something could not be read, in French. A reason that is not one of ours, as the words of another program, stays
 * as it is.
 */
export function reasonInFrench(reason: string): string {
	for (const [pattern, french] of known) {
		const found = pattern.exec(reason);
		if (found !== null) return french(...found.slice(1));
	}
	return reason;
}

const sources = new Map([
	['the machine', 'la machine'],
	['n8n’s database', 'la base de n8n'],
	['the queue', 'la file de tâches'],
	['the backups', 'les sauvegardes'],
]);
const source = (name: string) => sources.get(name) ?? name;

const known: ReadonlyArray<readonly [RegExp, (...parts: string[]) => string]> = [
	[
		/^systemd does not run here: (.+) failed( \(.+\))?\.$/,
		(program, code = '') => `systemd ne tourne pas ici : ${program} a échoué${code}.`,
	],
	[
		/^The list of system services in (.+) could not be read( \(.+\))?\.$/,
		(file, code = '') => `La liste des services système ${file} n’a pas pu être lue${code}.`,
	],
	[
		/^timedatectl did not say whether the clock is synchronised\.$/,
		() => 'timedatectl n’a pas dit si l’horloge est synchronisée.',
	],
	[
		/^(.+) is not reachable at (.+) \((.+)\)\.?$/,
		(name, place, code) =>
			`${name} n’est pas joignable à ${place} (${code === 'connection closed' ? 'connexion fermée' : code}).`,
	],
	[
		/^(.+) at (.+) broke off the connection \((.+)\)$/,
		(name, place, code) => `${name} à ${place} a coupé la connexion (${code}).`,
	],
	[
		/^Reading (.+) did not end within (\d+) ms\.$/,
		(name, ms) => `La lecture (${source(name!)}) n’a pas fini en ${ms} ms.`,
	],
	[/^Reading (.+) failed \((.+)\)\.$/, (name, error) => `La lecture (${source(name!)}) a échoué (${error}).`],
	[
		/^(.+) did not (?:answer|finish) within (\d+) ms\.?$/,
		(name, ms) => `${name!.replace(/ at /, ' à ')} n’a pas répondu en ${ms} ms.`,
	],
	[/^Redis at (.+) refused the password\.$/, (place) => `Redis à ${place} a refusé le mot de passe.`],
	[
		/^n8n may not open the Docker socket (.+)\.$/,
		(socket) => `n8n n’a pas le droit d’ouvrir le socket Docker ${socket}.`,
	],
	[
		/^This diagnosis was not told how to reach (.+)\.$/,
		(name) => `Ce diagnostic ne sait pas comment atteindre : ${source(name!)}.`,
	],
	[
		/^n8n runs in a container, which cannot see the machine below it\.$/,
		() => 'n8n tourne dans un conteneur, d’où la machine ne se voit pas.',
	],
	[/^(.+) could not be read \((.+)\)\.$/, (place, code) => `${place} n’a pas pu être lu (${code}).`],
];
