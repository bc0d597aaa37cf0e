/**
 * The lines of a stack trace, taken apart and put together again. Engines agree on `wasm-function[index]:0xoffset` (the
 * WebAssembly JavaScript API's convention), where the offset is that of the instruction that calls or traps, and differ
 * in what stands around it:
 *
 *   V8             at name (wasm://wasm/module-1a2b3c4d:wasm-function[12]:0x1f)
 *   SpiderMonkey   name@https://host/app.js line 3 > WebAssembly.compile:wasm-function[12]:0x1f
 *   fiber.stack    name (wasm-function[12]:0x1f)
 *
 * JavaScriptCore gives no offset: its frames stay as they are.
 */

/** A place in a source; lines and columns count from 1. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface WasmFrame {
  readonly name: string | null;
  /** What the engine calls the module: in V8 its hash, elsewhere the line of the script that compiled it. */
  readonly url: string;
  readonly index: number;
  readonly offset: number;
}

export interface Line {
  /** As the engine wrote it, without the line break. */
  readonly text: string;
  /** Null for a frame of the host, and for what is no frame. */
  readonly frame: WasmFrame | null;
  /** What stands in front: the indentation and "at ", "async " and the like. */
  readonly lead: string;
  readonly style: 'v8' | 'spidermonkey';
  /** Is it a frame at all? */
  readonly counts: boolean;
}

const WASM = /^(.*)wasm-function\[(\d+)\]:(0x[0-9a-f]+)\)?$/i;
/** How the functions are named that the instrumenter has put around those of the guest; as in trace.ts, which this entry does without. */
const OWN = 'wasm-fibers.';
/** Before the name of its function, that of the body in which it goes on. */
const RESUMED = `${OWN}resumed:`;
const LEAD = /^\s*(?:at )?(?:async )?/;
/** SpiderMonkey, where a debugger looks on: `promise callback*`, `async*`, `setTimeout handler*`. */
const CAUSE = /^[A-Za-z][\w .]*\*/;

/**
 * @param stack the `stack` of an error
 * @param message its message, whose lines are not looked at
 */
export function parseStack(stack: string, message: string): Line[] {
  const from = endOfHeader(stack, message);
  // The rest of the message's last line is empty.
  const parsed = stack
    .slice(from)
    .split('\n')
    .map((line) => parseLine(line));
  const lines = joinBodies(
    parsed,
    ({ frame }) => frame?.name ?? null,
    (line, name) => ({ ...line, frame: line.frame === null ? null : { ...line.frame, name } }),
  ).filter(({ frame }) => frame?.name?.startsWith(OWN) !== true);
  const [rest, ...others] = lines;
  return from === 0 || rest === undefined ? lines : [verbatim(stack.slice(0, from) + rest.text), ...others];
}

/** A function that was resumed has two frames, the outer one of which has done nothing but call the inner one: makes it one. */
export function joinBodies<T>(
  lines: readonly T[],
  nameOf: (line: T) => string | null,
  rename: (line: T, name: string) => T,
): T[] {
  const joined: T[] = [];
  let outer: string | null = null;
  for (const line of lines) {
    const name = nameOf(line);
    const isOuter = name !== null && name === outer;
    outer = name?.startsWith(RESUMED) === true ? name.slice(RESUMED.length) : null;
    if (!isOuter) joined.push(outer === null ? line : rename(line, outer));
  }
  return joined;
}

/** V8 begins with `Name: message`; others with the first frame, which may happen to have the message's text in it. */
function endOfHeader(stack: string, message: string): number {
  const [first = ''] = stack.split('\n', 1);
  const [head = ''] = message.split('\n', 1);
  const start = first.lastIndexOf(head);
  const end = start + message.length;
  const begins = start === 0 || first.slice(0, Math.max(0, start)).endsWith(': ');
  return begins && stack.startsWith(message, start) && (stack[end] ?? '\n') === '\n' ? end : 0;
}

const verbatim = (text: string): Line => ({ text, frame: null, lead: '', style: 'v8', counts: false });

export function parseLine(text: string, style: Line['style'] = styleOf(text)): Line {
  const match = WASM.exec(text);
  if (match === null) return { ...verbatim(text), style, counts: /^\s+at |@/.test(text) };
  const [, before = '', index = '', offset = ''] = match;
  const lead = (style === 'v8' ? LEAD : CAUSE).exec(before)?.[0] ?? '';
  const [name, url] = split(before.slice(lead.length).replace(/:$/, ''), style);
  return {
    text,
    style,
    lead,
    counts: true,
    frame: { name: cleanName(name, url), url, index: Number(index), offset: Number(offset) },
  };
}

function styleOf(text: string): Line['style'] {
  return /^\s+at /.test(text) || !text.includes('@') ? 'v8' : 'spidermonkey';
}

/** Names and addresses may contain the separators too. */
function split(text: string, style: Line['style']): readonly [name: string, url: string] {
  if (style === 'v8') {
    const at = text.lastIndexOf(' (');
    return at < 0 ? ['', text] : [text.slice(0, at), text.slice(at + 2)];
  }
  const scheme = /@[a-z][a-z0-9+.-]*:/i.exec(text)?.index ?? text.indexOf('@');
  return [text.slice(0, scheme), text.slice(scheme + 1)];
}

/** V8 puts the module's own name in front; asc escapes what was syntax in the text format once. */
function cleanName(name: string, url: string): string | null {
  const module = /^wasm:\/\/wasm\/(.+)-[0-9a-f]{8}$/.exec(url)?.[1];
  const own = module !== undefined && name.startsWith(`${module}.`) ? name.slice(module.length + 1) : name;
  return own.replace(/^[^/]*?\.wasm\./, '').replace(/%(28|29|2C)/g, decodeURIComponent) || null;
}

/** Does a line say that what follows is not on the stack any more, but what led to it? */
export function isBoundary(line: Line): boolean {
  return line.frame === null ? line.style === 'spidermonkey' && CAUSE.test(line.text) : false;
}

/** A frame with its place in the source, in the engine's own manner: other tools read stacks too. */
export function printFrame(line: Line, name: string | null, place: Location): string {
  const where = `${place.file}:${place.line}:${place.column}`;
  if (line.style === 'spidermonkey') return `${line.lead}${name ?? ''}@${where}`;
  return name === null ? line.lead + where : `${line.lead}${name} (${where})`;
}
