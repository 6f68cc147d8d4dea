import { brotliDecompressSync, inflateRawSync, inflateSync } from 'node:zlib';

const largestStream = 128 * 1024 * 1024;

/**
 * Replaces the platform's DecompressionStream for this whole process: pdf.js hands over one whole buffer and waits, so
 * threads only cost time. What does not decompress, or swells beyond 128 MiB, throws; pdf.js then reads what it can.
 */
export function inflateInOneCall(): void {
	globalThis.DecompressionStream = WholeDecompressionStream as unknown as typeof DecompressionStream;
}

class WholeDecompressionStream {
	readonly #decompress: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
	#input: Uint8Array | null = null;

	constructor(format: string) {
		this.#decompress =
			format === 'deflate' ? inflateSync : format === 'deflate-raw' ? inflateRawSync : brotliDecompressSync;
	}

	readonly writable = {
		getWriter: () => ({
			write: async (bytes: Uint8Array) => void (this.#input = bytes),
			close: async () => {},
		}),
	};

	readonly readable = {
		getReader: () => ({
			read: async () => {
				const input = this.#input;
				this.#input = null;
				if (input === null) return { done: true };
				return { done: false, value: this.#decompress(input, { maxOutputLength: largestStream }) };
			},
		}),
	};
}
