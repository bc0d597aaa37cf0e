/** The text of app.js. */
import type { EnumDescription } from './describe.ts';
import { property, quoted } from './names.ts';

/**
 * @param wasm name of the module's file. Its URL is written literally: bundlers find the asset by that
 * @param enums those whose members are all known
 */
export function writeJavaScript(wasm: string, enums: readonly EnumDescription[]): string {
  const consts = enums.map(({ name: exported, members }) => {
    const entries = members.map((each) => `  ${property(each.name)}: ${each.value ?? 0},\n`);
    return `\nexport const ${exported} = /* @__PURE__ */ Object.freeze({\n${entries.join('')}});\n`;
  });
  return `// Made by wasm-fibers/transform together with ${wasm} and its .d.ts: change the source, not this.
import { instantiate as instantiateModule } from 'wasm-fibers/assemblyscript';

export function instantiate(imports = {}, options = {}) {
  const source = options.source ?? new URL(${quoted(`./${encodeURIComponent(wasm)}`)}, import.meta.url);
  return instantiateModule(source, imports, options);
}
${consts.join('')}`;
}
