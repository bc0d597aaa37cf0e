/**
 * Guest frames in an engine's stack trace. Engines agree on `wasm-function[index]:0xoffset` (the WebAssembly JavaScript
 * API's convention for a frame's location) and differ in what stands around it:
 *
 *   V8             at name (wasm://wasm/module-1a2b:wasm-function[12]:0x1f)
 *   SpiderMonkey   name@https://host/app.js line 3 > WebAssembly.instantiate:wasm-function[12]:0x1f
 */
const FRAME = /^\s*(?:at (?:async )?)?(?:(.*?) ?[(@])?.*(wasm-function\[\d+\])(:0x[0-9a-f]+)?/;

/** Where SpiderMonkey, while a debugger looks on, goes on with what is not on the stack any more: `promise callback*...`. */
const BEFORE = /^\w[\w ]*\*/;

/** How the functions are named that the instrumenter has put around those of the guest. */
const OWN = 'wasm-fibers.';
/** Before the name of its function, that of the body in which it goes on; the function itself has called it. */
const RESUMED = `${OWN}resumed:`;

/**
 * The guest's part of a stack trace, innermost first: `name`, or `wasm-function[12]` where the module has no names.
 *
 * @param stack the `stack` of an error
 * @param places as `name (wasm-function[12]:0x1f)`, which can be mapped to source
 */
export function guestFrames(stack: string | undefined, places = false): string[] {
  const frames: string[] = [];
  let skipped: string | null = null;
  for (const line of stack?.split('\n') ?? []) {
    const match = FRAME.exec(line);
    if (match === null && BEFORE.test(line)) break;
    if (match === null) continue;
    const [, prefix = '', index = '', offset = ''] = match;
    let name = prefix.replace(/^.*?\.wasm\./, '');
    const isSkipped = name === skipped;
    skipped = null;
    if (isSkipped) continue;
    if (name.startsWith(RESUMED)) skipped = name = name.slice(RESUMED.length);
    else if (name.startsWith(OWN)) continue;
    const place = places ? index + offset : index;
    frames.push(!name || name.includes(':wasm') ? place : places ? `${name} (${place})` : name);
  }
  return frames;
}

/**
 * Puts the guest's frames of another stack trace behind those of a trap: of code that was not on the engine's stack when it
 * trapped, but would have been if the guest's stack had come back as a whole.
 */
export function continueTrace(trap: Error, stack: string | undefined): void {
  const frames = (stack ?? '').split('\n').filter((line) => line.includes(':wasm-function['));
  trap.stack = [trap.stack, ...frames].join('\n');
}

/** What to do about it; engines run JavaScript and Wasm on the same stack. */
export const RECURSE_LESS = 'Recurse less deeply, or give the engine more stack.';

/**
 * Did the engine's own stack end? V8 and JavaScriptCore throw a RangeError for it, SpiderMonkey an InternalError.
 *
 * @param error what was thrown
 */
export function isStackOverflow(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { name, message } = error;
  // No regular expressions: where the stack has ended, engines cannot even compile one.
  return (
    (name === 'RangeError' || name === 'InternalError') &&
    (message.includes('call stack') || message.includes('too much recursion'))
  );
}
