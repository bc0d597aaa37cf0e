/** What runs in the page: each test on an empty directory of the origin-private file system, with the files that it expects. */
import { browserDirectory } from '../../../host/wasi/index.ts';
import { type Test, trial } from './trial.ts';

interface Tree {
  readonly [name: string]: string | Tree;
}

export interface PageTask extends Test {
  readonly files: Tree | null;
}

async function fill(directory: FileSystemDirectoryHandle, tree: Tree): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    if (typeof content !== 'string') {
      await fill(await directory.getDirectoryHandle(name, { create: true }), content);
      continue;
    }
    const writer = await (await directory.getFileHandle(name, { create: true })).createWritable();
    await writer.write(content);
    await writer.close();
  }
}

async function perform(task: PageTask, index: number): Promise<string | null> {
  const source = new Uint8Array(await (await fetch(`/module/${index}`)).arrayBuffer());
  if (task.files === null) return trial(task, source, {});
  const root = await navigator.storage.getDirectory();
  const name = `test-${index}`;
  const directory = await root.getDirectoryHandle(name, { create: true });
  await fill(directory, task.files);
  const wrong = await trial(task, source, { files: browserDirectory(directory) });
  await root.removeEntry(name, { recursive: true });
  return wrong;
}

if (typeof window === 'object') {
  const tasks = (await (await fetch('/tasks')).json()) as PageTask[];
  const outcomes: (string | null)[] = [];
  for (const [index, task] of tasks.entries()) {
    outcomes.push(await perform(task, index).catch((error: unknown) => String(error)));
  }
  await fetch('/report', { method: 'POST', body: JSON.stringify(outcomes) });
}
