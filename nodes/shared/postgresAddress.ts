/** Where a PostgreSQL database is, and as whom it is entered. */
export interface PostgresAddress {
	readonly host: string;
	readonly port: number;
	readonly database: string;
	readonly user: string;
	readonly password: string;
	/** `unchecked`: encrypted, but the server's certificate is taken as it is. */
	readonly ssl: 'off' | 'on' | 'unchecked';
}

/** What the `pg` library takes for an address. */
export function connectionTo({ ssl, ...address }: PostgresAddress) {
	return {
		...address,
		ssl: ssl === 'off' ? false : { rejectUnauthorized: ssl === 'on' },
		application_name: 'n8n-nodes-aurastack',
	};
}
