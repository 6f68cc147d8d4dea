import { hasSqlDetails, loadModule, parseSync, scanSync } from 'libpg-query';

import { LocalAiError } from '../shared/errors';

/** One statement that only reads, and the names in it that only the server can resolve. */
export interface ReadStatement {
	readonly sql: string;
	/** Every name that stands where a table can, names of common table expressions included. */
	readonly relations: readonly RelationName[];
	/** Names by which a function can be called: `f(x)`, and `x.f` where x is a row. */
	readonly functions: readonly string[];
	readonly operators: readonly string[];
}

export interface RelationName {
	/** `null` where the search path decides. */
	readonly schema: string | null;
	readonly name: string;
}

/** Which tables may be read: as `table` (in the schema public) or `schema.table`. Empty: all that hold no secrets. */
export type AllowedTables = readonly string[];

/**
 * Takes one SELECT, VALUES, TABLE or EXPLAIN without ANALYZE, made of nothing but the parts, functions and types that
 * are listed here. Rejects with LocalAiError: `refused` (reason `SQL_POLICY`) names what is not allowed,
 * `invalid-input` (reason `SQL_SYNTAX`) where PostgreSQL's own parser finds no statement.
 */
export async function parseRead(sql: string, allowed: AllowedTables): Promise<ReadStatement> {
	const statement = await parseOne(sql);
	const found = {
		relations: new Map<string, RelationName>(),
		functions: new Set<string>(),
		operators: new Set<string>(),
		growth: 0,
	};
	look(statement, 'Statement', found);
	if (found.growth > maxGrowth) throw refused('The statement puts too much together.', 'Put less together at once.');
	for (const relation of found.relations.values()) mayRead(relation, allowed);
	return {
		sql,
		relations: [...found.relations.values()],
		functions: [...found.functions],
		operators: [...found.operators],
	};
}

/** Throws LocalAiError `refused` unless the table, as named or as the server resolved it, may be read. */
export function mayRead(relation: RelationName, allowed: AllowedTables): void {
	const { schema, name } = relation;
	const shown = schema === null ? `"${name}"` : `"${schema}"."${name}"`;
	const entries = allowed.map(entry);
	if (entries.some((one) => one.name === name && (schema === null || one.schema === schema))) return;
	const refuse = (why: string) =>
		refused(`The table ${shown} ${why}.`, 'Name it in the allowed tables if it may be read.');
	if (schema === 'information_schema') {
		if (!informationViews.has(name)) throw refuse('is not one of the catalogue that may be read');
	} else if (schema === 'pg_catalog' || name.startsWith('pg_') || schema?.startsWith('pg_')) {
		const known = catalogue.has(name) && (schema === null || schema === 'pg_catalog');
		if (!known) throw refuse('is not one of the catalogue that may be read');
	} else if (allowed.length > 0) {
		throw refuse('is not among those allowed');
	} else if (holdsSecrets.test(name)) {
		throw refuse('can hold secrets');
	}
}

/** Whether the owner named this very table among those allowed. */
export function namedIn(allowed: AllowedTables, { schema, name }: RelationName): boolean {
	return allowed.map(entry).some((one) => one.name === name && one.schema === schema);
}

function entry(text: string): { schema: string; name: string } {
	const at = text.indexOf('.');
	if (at !== -1) return { schema: text.slice(0, at), name: text.slice(at + 1) };
	return { schema: text.startsWith('pg_') ? 'pg_catalog' : 'public', name: text };
}

/**
 * Tables of n8n 2.41 and of MCP Execute that hold secrets or what people wrote, and names that speak of such; n8n may set a prefix before
 * its own. https://github.com/n8n-io/n8n/tree/n8n%402.41.1/packages/%40n8n/db/src/entities
 */
const holdsSecrets = new RegExp(
	[
		'credential|secret|passw|token|api_?key|oauth|private_?key|deployment_key|mfa|session|identit',
		'(^|_)(users?|settings|variables|auth_.*|.*_auth|keys?|execution_data|binary_data|event_destinations)$',
		'(^|_)(execution_metadata|execution_annotations?|chat_hub_.*|agents?_.*|agents|instance_ai_.*|git_connection)$',
		// Parameters of nodes, rows of data tables, what came in, and what an MCP tool is asked with.
		'(^|_)(workflow_(?!statistics$).*|ai_builder_.*|ai_preference|data_table.*|processed_data|webhook_entity)$',
		'(^|_)(poller_state|scheduled_(job|task)|activity_event|test_(run|case_execution)|evaluation_.*|promotion_.*)$',
		'(^|_)mcp_',
	].join('|'),
	'i',
);

/** Catalogue relations without passwords, connection strings, server files or the text of functions. */
const catalogue = new Set(
	`pg_class pg_namespace pg_attribute pg_index pg_indexes pg_tables pg_constraint pg_type pg_am pg_extension
	pg_inherits pg_sequences pg_matviews pg_tablespace pg_description pg_enum pg_collation pg_database pg_roles pg_locks
	pg_stat_activity pg_stat_archiver pg_stat_bgwriter pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts
	pg_stat_io pg_stat_progress_vacuum pg_stat_progress_analyze pg_stat_progress_create_index pg_stat_progress_basebackup
	pg_stat_progress_cluster pg_stat_replication pg_stat_slru pg_stat_ssl pg_stat_statements pg_stat_statements_info
	pg_stat_all_tables pg_stat_sys_tables pg_stat_user_tables pg_stat_all_indexes pg_stat_sys_indexes
	pg_stat_user_indexes pg_stat_user_functions pg_stat_wal pg_stat_xact_all_tables pg_stat_xact_user_tables
	pg_statio_all_tables pg_statio_user_tables pg_statio_all_indexes pg_statio_user_indexes pg_statio_all_sequences
	pg_statio_user_sequences pg_replication_slots pg_stat_replication_slots pg_prepared_xacts`.split(/\s+/),
);

const informationViews = new Set(
	`tables columns views schemata table_constraints key_column_usage constraint_column_usage referential_constraints
	check_constraints sequences domains table_privileges role_table_grants`.split(/\s+/),
);

/**
 * Functions of pg_catalog that change nothing and reach no file, no other session and no other server. `repeat`, `lpad`,
 * `format`, `replace` and the like are not among them, since two calls make a gigabyte of a few words; nor are aggregates
 * that keep all that they are given, such as `string_agg`. What makes a value at most a few times larger is `growth`.
 */
export const allowedFunctions: ReadonlySet<string> = new Set(
	`count sum avg min max bool_and bool_or every bit_and bit_or 	any_value stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp
	regr_slope regr_intercept regr_r2 regr_count mode percentile_cont percentile_disc
	row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
	abs ceil ceiling floor round trunc mod div sign sqrt cbrt power exp ln log log10 gcd lcm degrees radians pi
	width_bucket scale
	lower upper initcap length char_length character_length octet_length bit_length btrim ltrim rtrim substr substring
	overlay left right reverse split_part position strpos starts_with concat concat_ws ascii chr md5
	sha256 encode decode convert_from convert_to to_hex regexp_match regexp_matches regexp_count
	regexp_substr regexp_like regexp_split_to_array regexp_split_to_table string_to_array string_to_table like_escape
	similar_to_escape quote_ident quote_literal normalize is_normalized
	now clock_timestamp statement_timestamp transaction_timestamp timeofday date_trunc date_part date_bin extract age
	to_char to_date to_timestamp to_number make_date make_time make_timestamp make_timestamptz make_interval justify_days
	justify_hours justify_interval timezone isfinite overlaps
	to_json to_jsonb row_to_json array_to_json json_build_object json_build_array jsonb_build_object jsonb_build_array
	json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_array_elements
	json_array_elements_text jsonb_array_elements jsonb_array_elements_text json_each json_each_text jsonb_each
	jsonb_each_text json_object_keys jsonb_object_keys json_typeof jsonb_typeof json_array_length jsonb_array_length
	json_strip_nulls jsonb_strip_nulls jsonb_path_exists jsonb_path_query jsonb_path_query_array
	jsonb_path_query_first
	unnest array_length array_lower array_upper array_ndims cardinality array_position array_positions
	array_append array_prepend array_cat array_remove 	generate_series generate_subscripts num_nulls num_nonnulls pg_typeof
	host hostmask masklen netmask network broadcast family text
	pg_size_pretty pg_size_bytes pg_database_size pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size
	pg_tablespace_size pg_get_userbyid pg_get_indexdef pg_get_constraintdef pg_encoding_to_char format_type
	obj_description col_description to_regclass to_regtype to_regnamespace version current_database current_schema
	current_schemas pg_backend_pid pg_blocking_pids pg_safe_snapshot_blocking_pids pg_postmaster_start_time
	pg_conf_load_time pg_is_in_recovery pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
	pg_current_wal_lsn pg_current_wal_insert_lsn pg_wal_lsn_diff mxid_age has_table_privilege has_schema_privilege
	has_database_privilege has_column_privilege pg_has_role pg_stat_get_dead_tuples pg_stat_get_live_tuples
	pg_stat_get_numscans`.split(/\s+/),
);

/** Built-in types: the input function of any other one is somebody's own code. */
const allowedTypes = new Set(
	`bool int2 int4 int8 float4 float8 numeric money text varchar bpchar char name bytea date time timetz timestamp
	timestamptz interval json jsonb jsonpath uuid inet cidr macaddr oid xid xid8 pg_lsn bit varbit int4range int8range
	numrange daterange tsrange tstzrange regclass regtype regnamespace regrole`.split(/\s+/),
);

const maxCharacters = 20_000;
/** Far below where the parser's stack ends (measured: from 5000 tokens on, nested one in the other). */
const maxTokens = 3_000;

async function parseOne(sql: string): Promise<unknown> {
	if (sql.length > maxCharacters) {
		throw refused(`The statement has more than ${maxCharacters} characters.`, 'Ask for less at once.');
	}
	// The wire protocol ends a text at its first NUL, and what is not Unicode reaches parser and server as two texts.
	if (sql.includes('\0') || !sql.isWellFormed()) {
		throw refused('The statement holds a NUL or broken Unicode.', 'Send plain text.');
	}
	await loadModule();
	try {
		if (scanSync(sql).tokens.length > maxTokens) {
			throw refused(`The statement has more than ${maxTokens} words.`, 'Ask for less at once.');
		}
		const { stmts = [] } = parseSync(sql);
		if (stmts.length === 1) return stmts[0]!.stmt;
		if (stmts.length > 1) throw refused(`These are ${stmts.length} statements.`, 'Send exactly one.');
	} catch (error) {
		if (error instanceof LocalAiError) throw error;
		const at = hasSqlDetails(error) ? ` (at character ${error.sqlDetails!.cursorPosition + 1})` : '';
		const said = error instanceof Error ? error.message : String(error);
		throw new LocalAiError('invalid-input', `PostgreSQL's parser refuses the statement: ${said}${at}`, {
			hint: 'Correct the SQL.',
			reason: 'SQL_SYNTAX',
		});
	}
	throw new LocalAiError('invalid-input', 'There is no statement.', {
		hint: 'Send one SELECT.',
		reason: 'SQL_SYNTAX',
	});
}

interface Found {
	readonly relations: Map<string, RelationName>;
	readonly functions: Set<string>;
	readonly operators: Set<string>;
	/** By how much the largest value can have grown at most, as a power of two. */
	growth: number;
}

/** Some 80 MB of the longest text that a statement can hold. */
const maxGrowth = 12;

/** Functions that make a value larger: by how much at most, for that many arguments. */
const growth: Readonly<Record<string, (count: number) => number>> = {
	...Object.fromEntries(
		['concat', 'concat_ws', 'json_build_object', 'json_build_array', 'jsonb_build_object', 'jsonb_build_array'].map(
			(name) => [name, (count: number) => 2 * Math.max(2, count)],
		),
	),
	...Object.fromEntries(
		[
			...['overlay', 'encode', 'quote_ident', 'quote_literal', 'to_json', 'to_jsonb', 'row_to_json', 'array_to_json'],
			...['array_append', 'array_prepend', 'array_cat', 'like_escape', 'normalize'],
		].map((name) => [name, () => 2]),
	),
};

/**
 * The parts of PostgreSQL's parse tree that are let through, and what their fields hold: a plain value, any expression
 * or list of such, or one part of that kind. A part or a field that is not here is refused: INTO, FOR UPDATE, writes in
 * WITH, samples, XML, and whatever a later PostgreSQL adds.
 */
const kinds = {
	Statement: { SelectStmt: 'SelectStmt', ExplainStmt: 'ExplainStmt' },
	ExplainStmt: { query: 'Query', options: 'any' },
	Query: { SelectStmt: 'SelectStmt' },
	DefElem: { defname: 'plain', arg: 'any', defaction: 'plain', location: 'plain' },
	SelectStmt: {
		distinctClause: 'any',
		targetList: 'any',
		fromClause: 'any',
		whereClause: 'any',
		groupClause: 'any',
		groupDistinct: 'plain',
		havingClause: 'any',
		windowClause: 'any',
		valuesLists: 'any',
		sortClause: 'any',
		limitOffset: 'any',
		limitCount: 'any',
		limitOption: 'plain',
		withClause: 'WithClause',
		op: 'plain',
		all: 'plain',
		larg: 'SelectStmt',
		rarg: 'SelectStmt',
	},
	WithClause: { ctes: 'any', recursive: 'plain', location: 'plain' },
	CommonTableExpr: {
		ctename: 'plain',
		aliascolnames: 'any',
		ctematerialized: 'plain',
		ctequery: 'Query',
		location: 'plain',
	},
	RangeVar: {
		schemaname: 'plain',
		relname: 'plain',
		inh: 'plain',
		relpersistence: 'plain',
		alias: 'Alias',
		location: 'plain',
	},
	RangeSubselect: { lateral: 'plain', subquery: 'Query', alias: 'Alias' },
	RangeFunction: {
		lateral: 'plain',
		ordinality: 'plain',
		is_rowsfrom: 'plain',
		functions: 'any',
		alias: 'Alias',
	},
	JoinExpr: {
		jointype: 'plain',
		isNatural: 'plain',
		larg: 'any',
		rarg: 'any',
		usingClause: 'any',
		join_using_alias: 'Alias',
		quals: 'any',
		alias: 'Alias',
		rtindex: 'plain',
	},
	Alias: { aliasname: 'plain', colnames: 'any' },
	ResTarget: { name: 'plain', indirection: 'any', val: 'any', location: 'plain' },
	ColumnRef: { fields: 'any', location: 'plain' },
	ParamRef: { number: 'plain', location: 'plain' },
	A_Star: {},
	A_Const: {
		ival: 'Value',
		fval: 'Value',
		boolval: 'Value',
		sval: 'Value',
		bsval: 'Value',
		isnull: 'plain',
		location: 'plain',
	},
	Value: { ival: 'plain', fval: 'plain', boolval: 'plain', sval: 'plain', bsval: 'plain' },
	String: { sval: 'plain' },
	Integer: { ival: 'plain' },
	Float: { fval: 'plain' },
	Boolean: { boolval: 'plain' },
	List: { items: 'any' },
	A_Expr: {
		kind: 'plain',
		name: 'any',
		lexpr: 'any',
		rexpr: 'any',
		rexpr_list_start: 'plain',
		rexpr_list_end: 'plain',
		location: 'plain',
	},
	BoolExpr: { boolop: 'plain', args: 'any', location: 'plain' },
	NullTest: { arg: 'any', nulltesttype: 'plain', argisrow: 'plain', location: 'plain' },
	BooleanTest: { arg: 'any', booltesttype: 'plain', location: 'plain' },
	SubLink: {
		subLinkType: 'plain',
		subLinkId: 'plain',
		testexpr: 'any',
		operName: 'any',
		subselect: 'Query',
		location: 'plain',
	},
	CaseExpr: { arg: 'any', args: 'any', defresult: 'any', location: 'plain' },
	CaseWhen: { expr: 'any', result: 'any', location: 'plain' },
	CoalesceExpr: { args: 'any', location: 'plain' },
	MinMaxExpr: { op: 'plain', args: 'any', location: 'plain' },
	SQLValueFunction: { op: 'plain', typmod: 'plain', location: 'plain' },
	FuncCall: {
		funcname: 'any',
		args: 'any',
		agg_order: 'any',
		agg_filter: 'any',
		over: 'WindowDef',
		agg_within_group: 'plain',
		agg_star: 'plain',
		agg_distinct: 'plain',
		funcformat: 'plain',
		location: 'plain',
	},
	NamedArgExpr: { arg: 'any', name: 'plain', argnumber: 'plain', location: 'plain' },
	WindowDef: {
		name: 'plain',
		refname: 'plain',
		partitionClause: 'any',
		orderClause: 'any',
		frameOptions: 'plain',
		startOffset: 'any',
		endOffset: 'any',
		location: 'plain',
	},
	SortBy: { node: 'any', sortby_dir: 'plain', sortby_nulls: 'plain', location: 'plain' },
	GroupingSet: { kind: 'plain', content: 'any', location: 'plain' },
	GroupingFunc: { args: 'any', location: 'plain' },
	TypeCast: { arg: 'any', typeName: 'TypeName', location: 'plain' },
	TypeName: { names: 'any', typmods: 'any', typemod: 'plain', arrayBounds: 'any', location: 'plain' },
	CollateClause: { arg: 'any', collname: 'any', location: 'plain' },
	A_ArrayExpr: { elements: 'any', list_start: 'plain', list_end: 'plain', location: 'plain' },
	A_Indirection: { arg: 'any', indirection: 'any' },
	A_Indices: { is_slice: 'plain', lidx: 'any', uidx: 'any' },
	RowExpr: { args: 'any', row_format: 'plain', colnames: 'any', location: 'plain' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

type Kind = keyof typeof kinds;
type Tree = Readonly<Record<string, unknown>>;

/** The parts that may stand where an expression, a source of rows or a list of such may. */
const notAnywhere = new Set([
	'Statement',
	'Query',
	'ExplainStmt',
	'Value',
	'WithClause',
	'Alias',
	'TypeName',
	'SelectStmt',
]);

function look(part: unknown, kind: Kind, found: Found): void {
	const tree = asTree(part);
	const fields: Readonly<Record<string, string>> = kinds[kind];
	check[kind]?.(tree, found);
	const before = found.growth;
	for (const [field, value] of Object.entries(tree)) {
		const holds = Object.hasOwn(fields, field) ? fields[field] : undefined;
		if (holds === undefined) throw refused(notAllowed[field] ?? `${partName(kind, field)} is not allowed.`, onlyReads);
		if (holds === 'plain') mustBePlain(value);
		else if (holds === 'any') lookAny(value, found);
		else look(value, holds as Kind, found);
	}
	if (kind === 'WithClause' && tree.recursive === true && found.growth > before) {
		throw refused('WITH RECURSIVE may put nothing together: it would grow with every round.', 'Do that outside of it.');
	}
}

function lookAny(value: unknown, found: Found): void {
	if (Array.isArray(value)) {
		for (const one of value) lookAny(one, found);
		return;
	}
	for (const [kind, part] of Object.entries(asTree(value))) {
		if (!Object.hasOwn(kinds, kind) || notAnywhere.has(kind)) throw refused(`${kind} is not allowed.`, onlyReads);
		look(part, kind as Kind, found);
	}
}

/** What a part must be beyond its shape. */
const check: { readonly [K in Kind]?: (tree: Tree, found: Found) => void } = {
	DefElem: ({ defname }) => {
		if (explainOptions.has(String(defname))) return;
		throw refused(`EXPLAIN with ${String(defname).toUpperCase()} is not allowed.`, 'Use EXPLAIN without ANALYZE.');
	},
	RangeVar: ({ schemaname, relname, relpersistence }, found) => {
		if (relpersistence !== 'p') throw refused('Temporary tables are not allowed.', onlyReads);
		const relation = { schema: schemaname === undefined ? null : String(schemaname), name: String(relname) };
		found.relations.set(JSON.stringify(relation), relation);
	},
	FuncCall: ({ funcname, args }, found) => {
		const name = builtIn(funcname, 'The function');
		if (!allowedFunctions.has(name)) {
			throw refused(`The function ${name} is not among those allowed.`, 'Use another function, or none.');
		}
		found.functions.add(name);
		if (Object.hasOwn(growth, name))
			found.growth += Math.log2(growth[name]!((args as unknown[] | undefined)?.length ?? 0));
	},
	TypeName: ({ names }) => {
		const name = builtIn(names, 'The type');
		if (!allowedTypes.has(name)) throw refused(`The type ${name} is not among those allowed.`, onlyReads);
	},
	A_Expr: (tree, found) => {
		found.operators.add(builtIn(tree.name, 'The operator'));
		// Texts put together one after the other count once, as so many pieces.
		const inner = [tree.lexpr, tree.rexpr].map(piecesOf).filter((pieces) => pieces > 1);
		if (isConcatenation(tree)) found.growth += Math.log2(piecesOf({ A_Expr: tree }));
		if (isConcatenation(tree)) for (const pieces of inner) found.growth -= Math.log2(pieces);
	},
	A_ArrayExpr: ({ elements }, found) => void (found.growth += Math.log2(1 + varying(elements))),
	RowExpr: ({ args }, found) => void (found.growth += Math.log2(1 + varying(args))),
	SubLink: ({ operName, subLinkType }, found) => {
		if (subLinkType === 'ARRAY_SUBLINK')
			throw refused('ARRAY (SELECT …) is not allowed.', 'Select the rows themselves.');
		if (operName !== undefined) found.operators.add(builtIn(operName, 'The operator'));
	},
	CollateClause: ({ collname }) => void builtIn(collname, 'The collation'),
	ColumnRef: ({ fields }, found) => calledAsFields(fields, found),
	A_Indirection: ({ indirection }, found) => calledAsFields(indirection, found),
	SortBy: ({ sortby_dir: direction }) => {
		if (direction === 'SORTBY_USING') throw refused('ORDER BY … USING is not allowed.', 'Use ASC or DESC.');
	},
};

/** What can be doubled by being put together: constants cannot, however many there are. */
function varying(values: unknown): number {
	const list = Array.isArray(values) ? (values as readonly Tree[]) : [];
	return list.filter((value) => !('A_Const' in value)).length;
}

function isConcatenation({ name }: Tree): boolean {
	return builtIn(name, 'The operator') === '||';
}

function piecesOf(value: unknown): number {
	const tree = typeof value === 'object' && value !== null ? (value as Tree).A_Expr : undefined;
	if (tree === undefined || !isConcatenation(asTree(tree))) return 1;
	const { lexpr, rexpr } = asTree(tree);
	return piecesOf(lexpr) + piecesOf(rexpr);
}

const explainOptions = new Set(['costs', 'verbose', 'format', 'summary', 'settings', 'generic_plan']);

/** `row.f` calls the function f where the row has no column of that name. */
function calledAsFields(fields: unknown, { functions }: Found): void {
	for (const field of fields as readonly Tree[]) {
		const { sval } = asTree(field.String ?? {});
		if (typeof sval === 'string') functions.add(sval);
	}
}

function builtIn(names: unknown, what: string): string {
	const parts = (names as readonly Tree[]).map((one) => String(asTree(one.String).sval));
	const [schema, name] = parts.length === 1 ? ['pg_catalog', parts[0]!] : parts;
	if (parts.length <= 2 && schema === 'pg_catalog' && name !== undefined) return name;
	throw refused(`${what} ${parts.join('.')} is not one of PostgreSQL's own.`, 'Use those without a schema.');
}

function asTree(value: unknown): Tree {
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Tree;
	throw refused('The statement has a part of unknown shape.', onlyReads);
}

function mustBePlain(value: unknown): void {
	if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
		throw refused('The statement has a part of unknown shape.', onlyReads);
	}
}

const onlyReads = 'Only one SELECT, VALUES or EXPLAIN that reads and changes nothing is run.';

const notAllowed: Readonly<Record<string, string>> = {
	intoClause: 'SELECT INTO writes a table.',
	lockingClause: 'FOR UPDATE and FOR SHARE take locks.',
	catalogname: 'A name with a database before it is not allowed.',
};

function partName(kind: Kind, field: string): string {
	return kind === 'Statement' || kind === 'Query'
		? `${field.replace(/Stmt$/, '')} as a statement`
		: `${field} of ${kind}`;
}

function refused(message: string, hint: string): LocalAiError {
	return new LocalAiError('refused', message, { hint, reason: 'SQL_POLICY' });
}
