// What the server's plugins do, told on the console: each once, and a runaway among them.
import { describeFailure, scriptInput } from './plugins.ts';
import type { EditorServer } from './server.ts';

const TEXT = `a *plugin* is loaded   from a manifest.  its calls are *fibers*: each *fiber* may wait
for a *promise* in the middle of its work.
`;

/** Milliseconds. */
const RUNAWAY = 400;

export async function demonstrate({ url, plugins, scripts }: EditorServer): Promise<void> {
  const call = async (name: string, entry: string, input: string, timeout?: number): Promise<string> => {
    const found = plugins.get(name);
    if (found === undefined) return `(the plugin ${name} is not there: the build says what it lacks)`;
    const options = timeout === undefined ? {} : { timeout };
    return found.plugin.call<string>(entry, input, options).catch(describeFailure);
  };
  const show = (title: string, text: string): void => {
    console.log(`\n${title}\n${text.trimEnd().replaceAll(/^/gm, '  | ')}`);
  };
  const script = (name: string): string => scriptInput(scripts.get(name) ?? '', TEXT);

  const backends = new Set([...plugins.values()].map(({ plugin }) => plugin.backend));
  console.log(`${[...plugins.keys()].join(', ')} are loaded, on ${[...backends].join(', ')}; the page is at ${url}`);
  show('words (AssemblyScript), tidy:', await call('words', 'tidy', TEXT));
  show('words, annotate, which waits for each word:', await call('words', 'annotate', TEXT));
  show('wrap (C), justify:', await call('wrap', 'justify', `${TEXT} ${TEXT}`));
  show('lua, annotate.lua, which waits inside of pcall:', await call('lua', 'run', script('annotate')));
  show('lua, sort-lines.lua:', await call('lua', 'run', script('sort-lines')));
  show('lua, mistake.lua:', await call('lua', 'run', script('mistake')));

  // The server answers, one request after another, as long as the runaway runs.
  let answered = 0;
  const ended = new AbortController();
  const asking = (async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const response = await fetch(new URL('plugins/words/tidy', url), { method: 'POST', body: TEXT });
      if (((await response.json()) as { text?: string }).text !== undefined) answered++;
    }
  })();
  const outcome = await call('lua', 'run', script('runaway'), RUNAWAY);
  ended.abort();
  await asking;
  show(`lua, runaway.lua, with ${RUNAWAY} ms to live:`, outcome);
  console.log(`  ${answered} requests were answered while it ran`);
  show('lua, annotate.lua again:', await call('lua', 'run', script('annotate')));

  console.log('\n  plugin   calls failures waits slices restarts  memory');
  for (const { plugin } of plugins.values()) {
    const { name, calls, failures, suspensions, slices, restarts, memory } = plugin.stats();
    const numbers = [calls, failures, suspensions, slices, restarts].map((each, i) =>
      String(each).padStart([5, 8, 5, 6, 8][i] ?? 0),
    );
    console.log(`  ${name.padEnd(8)} ${numbers.join(' ')} ${`${memory / 1024} KiB`.padStart(8)}`);
  }
}
