import PDFDocument from 'pdfkit';

export interface Devis {
	readonly number: string;
	/** What the page calls itself; "Devis" when left out. */
	readonly title?: string;
	/** Left out where the test wants the page to say nothing of them. */
	readonly seller?: string;
	readonly buyer?: string;
	readonly email?: string;
	/** The client's name again, in words that the page's own rules do not know. */
	readonly buyerInWords?: string;
}

/** A one-page devis of two lines, 580.00 without and 696.00 with tax; no two calls give the same bytes. */
export async function devisPdf(devis: Devis): Promise<Buffer> {
	const { number, title = 'Devis', seller, buyer, email, buyerInWords } = devis;
	const { pdf, written } = newPdf();
	if (seller !== undefined) pdf.fontSize(14).text(seller, 50, 50).fontSize(10).text('12 rue des Lilas, 69003 Lyon');
	pdf.fontSize(14).text(`${title} n° ${number}`, 350, 50).fontSize(10).text('Date : 12/03/2026', 350, 72);
	if (buyer !== undefined) pdf.text('Client :', 350, 110).text(buyer, 350, 124);
	if (email !== undefined) pdf.text(email, 350, 138);
	if (buyerInWords !== undefined) pdf.text(`Destinataire de ce devis : ${buyerInWords}`, 50, 170);
	const columns = [50, 300, 380, 480];
	const rows = [
		['Désignation', 'Quantité', 'Prix unitaire HT', 'Total HT'],
		['Dépose de la chaudière', '2', '150,00', '300,00'],
		['Pose et mise en service', '3,5', '80,00', '280,00'],
	];
	rows.forEach((cells, row) => cells.forEach((cell, column) => pdf.text(cell, columns[column], 200 + 18 * row)));
	const totals = [
		['Total HT', '580,00 €'],
		['TVA 20 %', '116,00 €'],
		['Total TTC', '696,00 €'],
	] as const;
	totals.forEach(([label, amount], row) => pdf.text(label, 380, 290 + 16 * row).text(amount, 480, 290 + 16 * row));
	return await written();
}

/** A page of plain sentences: no number, no total, no line of a devis. */
export async function letterPdf(sentences: readonly string[]): Promise<Buffer> {
	const { pdf, written } = newPdf();
	for (const sentence of sentences) pdf.fontSize(11).text(sentence).moveDown();
	return await written();
}

function newPdf() {
	const pdf = new PDFDocument({ margin: 50 });
	const chunks: Buffer[] = [];
	pdf.on('data', (chunk: Buffer) => chunks.push(chunk));
	const done = new Promise((resolve) => pdf.on('end', resolve));
	const written = async () => {
		pdf.end();
		await done;
		return Buffer.concat(chunks);
	};
	return { pdf, written };
}
