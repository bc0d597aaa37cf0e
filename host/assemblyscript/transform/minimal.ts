/**
 * `--runtime minimal` collects only when `__collect` is called, and then looks at no stack: whatever a suspended fiber uses
 * is freed. So no function of a program may call it, since other fibers could be waiting then. An embedder can call it
 * (`--exportRuntime`) while there is no fiber.
 */
import { analyse } from '../../instrument/binary/analysis.ts';
import { readOutline } from '../../instrument/binary/module.ts';
import type { Program } from './asc.ts';
import type { Output } from './output.ts';
import type { Reporter } from './report.ts';

const MINIMAL = 1;
const COLLECT = '~lib/rt/tcms/__collect';

export function refuseCollecting(program: Program, output: Output, report: Reporter): void {
  if (program.options.runtime !== MINIMAL || !program.instancesByName.has(COLLECT)) return;
  const outline = readOutline(output.emitNamed().binary);
  const { functions: names } = outline.names;
  const collect = [...names].find(([, name]) => name === COLLECT)?.[0];
  if (collect === undefined) return;
  for (const [offset, { calls }] of analyse(outline).functions.entries()) {
    const name = names.get(outline.importedFunctions + offset) ?? '';
    if (!calls.has(collect)) continue;
    const top = [...program.filesByName.values()].find((file) => file.startFunction.internalName === name);
    const at = program.instancesByName.get(name)?.declaration ?? top?.source.statements[0];
    if (at === undefined) continue;
    report.error(
      `The function "${name}" calls __collect(). The collector of --runtime minimal looks at no stack, so it would free what suspended fibers use. Compile with --runtime incremental, or let the host call it (--exportRuntime) while no fiber is alive.`,
      at,
    );
  }
}
