import { shortened, visible } from '../task/text';
import type { Caller, Task } from '../task/task';

/**
 * What an approver is shown, as plain text of at most about 3,500 characters: every character shows, what is cut is
 * marked, and the hash of the whole task stands there in full.
 */
export function approvalView(task: Task, risk: string, caller: Caller, hash: string): string {
	const { workflowId, nodeName, user } = caller;
	const given = shortened(visible(JSON.stringify(task.arguments, null, 2), { lines: true }), 2500).text;
	return [
		`Server: ${name(task.server)}`,
		`Tool: ${name(task.tool)}`,
		`Risk: ${name(risk)}`,
		`Asked by: workflow ${name(workflowId)}, node ${name(nodeName)}${user === undefined ? '' : `, ${name(user)}`}`,
		`Arguments: ${given}`,
		`Task: ${hash}`,
	].join('\n');
}

/** A plain text as HTML in which nothing of it is markup, for messengers that read HTML. */
export function asHtml(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function name(text: string): string {
	return JSON.stringify(shortened(visible(text), 150).text);
}
