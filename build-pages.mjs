// Puts the program of the page that `recorder.toHTML` writes into the published files: the modules in build/host/observe/page as
// one, as the text that program.js exports. The last step of `npm run build`.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('build/host/observe/page/', import.meta.url));

const { outputFiles } = await build({
  entryPoints: [`${FOLDER}main.js`],
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  write: false,
  logLevel: 'warning',
});
const text = outputFiles[0].text.trim();
// It stands inside of a script element.
if (/<\/script|<!--/i.test(text)) throw new Error('the program of the page would end the element that it is in');
await writeFile(
  `${FOLDER}program.js`,
  `/** Made by build-pages.mjs. */\nexport const PROGRAM = ${JSON.stringify(text)};\n`,
);
