/**
 * Top-level code that may suspend: a start function runs inside instantiation, where nothing can wait and nobody holds the
 * exports yet, so the module loses its start section and gets an export that the host calls.
 */
import type { ModuleEdit } from '../binary/edit.ts';

export function exposeStart(edit: ModuleEdit): void {
  const { start } = edit.outline;
  if (start === null) return;
  edit.dropStart();
  edit.addExport('wasm-fibers.start', 'function', start);
}
