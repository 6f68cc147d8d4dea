const { src, dest } = require('gulp');

/** Copies what the TypeScript compiler leaves behind: icons and schemas beside the nodes and credentials. */
function assets() {
	return src(['{nodes,credentials}/**/*.{svg,png}', 'nodes/**/__schema__/**/*.json'], { encoding: false, allowEmpty: true }).pipe(dest('dist'));
}

exports.assets = assets;
