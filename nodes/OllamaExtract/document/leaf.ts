import type { CommercialDocument, HeaderPath } from '../result';

/** The value at a path of a document's header; null where it has none. */
export function valueAt(data: CommercialDocument, path: HeaderPath): string | null {
	const { record, name } = holderOf(data, path);
	return record[name] ?? null;
}

/** Puts a value at a path of a document's header. */
export function setAt(data: CommercialDocument, path: HeaderPath, value: string | null): void {
	const { record, name } = holderOf(data, path);
	record[name] = value;
}

function holderOf(data: CommercialDocument, path: HeaderPath): { record: Record<string, string | null>; name: string } {
	const [group, name] = path.split('.') as [string, string | undefined];
	const record = data as unknown as Record<string, Record<string, string | null>>;
	return name === undefined
		? { record: record as unknown as Record<string, string | null>, name: group }
		: { record: record[group]!, name };
}
