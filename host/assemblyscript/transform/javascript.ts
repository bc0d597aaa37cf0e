/** The text of app.js. */
import type { EnumDescription } from './describe.ts';
import { property, quoted } from './names.ts';

/**
 * @param wasm name of the module's file. Its URL is written literally: bundlers find the asset by that
 * @param jspi name of the file of the module for JSPI, if it is one of a pair
 * @param enums those whose members are all known
 */
export function writeJavaScript(wasm: string, jspi: string | null, enums: readonly EnumDescription[]): string {
  const consts = enums.map(({ name: exported, members }) => {
    const entries = members.map((each) => `  ${property(each.name)}: ${each.value ?? 0},\n`);
    return `\nexport const ${exported} = /* @__PURE__ */ Object.freeze({\n${entries.join('')}});\n`;
  });
  const source = jspi === null ? urlOf(wasm) : `{\n    asyncify: ${urlOf(wasm)},\n    jspi: ${urlOf(jspi)},\n  }`;
  return `// Made by wasm-fibers/transform together with ${wasm} and its .d.ts: change the source, not this.
import { instantiate as instantiateModule } from 'wasm-fibers/assemblyscript';

export function instantiate(imports = {}, options = {}) {
  const source = options.source ?? ${source};
  return instantiateModule(source, imports, options);
}
${consts.join('')}`;
}

function urlOf(file: string): string {
  return `new URL(${quoted(`./${encodeURIComponent(file)}`)}, import.meta.url)`;
}
