// The page: a text, three plugins, and whatever the user makes of them. Calls run beside each other and beside the user's typing: a
// result is shown beside the text, which is changed by nobody but the user.
//
// `?backend=asyncify` in the address has the plugins run as on an engine that has no JSPI.
import { LIMITS, describeFailure, scriptInput } from '../plugins.ts';
import { Frames } from './frames.ts';
import { inPage, onServer } from './places.ts';
import { controlsOf, element, find, limitsText, milliseconds, showStats } from './view.ts';

const text = find('text', HTMLTextAreaElement);
const script = find('script', HTMLTextAreaElement);
const result = find('result', HTMLElement);
const timeout = find('timeout', HTMLInputElement);
const stop = find('stop', HTMLButtonElement);
const take = find('take', HTMLButtonElement);
const status = find('status', HTMLElement);
const stats = find('stats', HTMLTableElement);
const choice = find('choice', HTMLSelectElement);

const LOG_LINES = 100;
const MOST_MS = LIMITS.timeout ?? 3000;

/** What runs, so that it can be stopped. */
const running = new Set<AbortController>();
/** When the user has last pressed Stop. */
let stopped = 0;

const frames = new Frames(find('frames', HTMLElement), find('clock', HTMLCanvasElement), () => running.size > 0);

function log(line: string): void {
  const list = find('log', HTMLOListElement);
  list.append(element('li', line));
  while (list.children.length > LOG_LINES) list.firstElementChild?.remove();
  list.scrollTop = list.scrollHeight;
}

const wanted = new URLSearchParams(location.search).get('backend');
const page = await inPage(wanted === 'asyncify' || wanted === 'jspi' ? wanted : null, (line) =>
  log(`lua prints: ${line}`),
);
const place = (): typeof onServer =>
  document.querySelector('input[name=place]:checked')?.getAttribute('value') === 'server' ? onServer : page;

async function refresh(): Promise<void> {
  try {
    showStats(stats, await place().stats());
  } catch (error) {
    log(`The statistics cannot be had: ${describeFailure(error)}`);
  }
}

function show(shown: string, failed: boolean): void {
  result.textContent = shown;
  result.classList.toggle('failed', failed);
  take.disabled = failed;
}

/** @param title what is called, for people */
async function call(title: string, name: string, entry: string, input: string): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  if (running.size === 0) frames.reset();
  running.add(controller);
  stop.ariaDisabled = 'false';
  status.textContent = `${title} runs.`;
  const [start, first] = [performance.now(), frames.count];
  try {
    const limit = Math.min(Math.max(timeout.valueAsNumber || MOST_MS, 1), MOST_MS);
    show(await place().call(name, entry, input, { timeout: limit, signal }), false);
    status.textContent = `${title} has ended after ${ms(start)}.`;
  } catch (error) {
    show(describeFailure(error), true);
    status.textContent = signal.aborted
      ? `${title} was stopped, ${ms(stopped)} after Stop was pressed.`
      : `${title} failed after ${ms(start)}: ${describeFailure(error)}`;
  } finally {
    const [count, gap] = [frames.count - first, milliseconds(frames.longestGap)];
    running.delete(controller);
    // Not `disabled`, which would take the focus away from whoever has pressed it by the keyboard.
    stop.ariaDisabled = String(running.size === 0);
    find('gap', HTMLElement).textContent = gap;
    log(`${status.textContent}${count > 0 ? ` There were ${count} frames meanwhile, at most ${gap} apart.` : ''}`);
    void refresh();
  }
}

const ms = (since: number): string => milliseconds(performance.now() - since);

const runScript = (title: string, code: string): void => void call(title, 'lua', 'run', scriptInput(code, text.value));

function stopAll(): void {
  stopped = performance.now();
  for (const controller of running) controller.abort();
}

/** Without the plugin lua, which the build may lack, there is nothing to write scripts for. */
async function offerScripts(): Promise<void> {
  const response = await fetch('scripts');
  // Our own server's.
  const scripts = (await response.json()) as Readonly<Record<string, string>>;
  choice.append(...Object.keys(scripts).map((name) => element('option', name)));
  const choose = (): void => {
    script.value = scripts[choice.value] ?? '';
  };
  choice.addEventListener('change', choose);
  choose();
  const run = (): void => runScript('The script', script.value);
  find('run', HTMLButtonElement).addEventListener('click', run);
  script.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    run();
  });
  find('runaway', HTMLButtonElement).addEventListener('click', () =>
    runScript('The runaway', scripts['runaway'] ?? 'while true do end'),
  );
  for (const id of ['scripts', 'run', 'runaway']) find(id, HTMLElement).hidden = false;
}

stop.addEventListener('click', stopAll);
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') stopAll();
});
take.addEventListener('click', () => {
  text.value = result.textContent ?? '';
  text.focus();
});
for (const input of document.querySelectorAll('input[name=place]')) {
  input.addEventListener('change', () => void refresh());
}

const plugins = [...page.plugins.values()];
find('plugins', HTMLElement).append(
  ...plugins.map((each) => controlsOf(each, (name, entry) => void call(`${name}, ${entry},`, name, entry, text.value))),
);
if (page.plugins.has('lua')) await offerScripts();
await refresh();
const backends = [...new Set(plugins.map(({ plugin }) => plugin.backend))];
find('loaded', HTMLElement).textContent =
  `${plugins.length} plugins are loaded, on ${backends.join(', ')}. None gets more than: ${limitsText(LIMITS)}.`;
