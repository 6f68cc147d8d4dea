// pdfjs-dist ships no types for its worker; this is the part of version 6 that `pdf.ts` uses.
declare module 'pdfjs-dist/legacy/build/pdf.worker.mjs' {
	export const WorkerMessageHandler: { initializeFromPort(port: object): void };
}
