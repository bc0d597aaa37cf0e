/**
 * The same plugin as JavaScript in QuickJS, by quickjs-emscripten's asyncify variant, which is how programs have synchronous plugins
 * that wait for their host. A module has one call at a time that waits, and only what is evaluated can: `callFunction` cannot. So a
 * call that may wait is a line of code which finds its input in a global variable.
 */
import {
  newQuickJSAsyncWASMModuleFromVariant,
  type QuickJSAsyncContext,
  type QuickJSHandle,
  shouldInterruptAfterDeadline,
} from 'quickjs-emscripten-core';
import { type Job, SCRIPT, TIMEOUT, type Translate } from './plugin-job.ts';

/** Bytes, as plugins have by default. */
const MEMORY = 2 ** 28;

export async function openQuickJS(translate: Translate): Promise<Job> {
  const quickjs = await newQuickJSAsyncWASMModuleFromVariant(import('@jitl/quickjs-wasmfile-release-asyncify'));
  const context = quickjs.newContext();
  context.runtime.setMemoryLimit(MEMORY);
  const imported = context.newAsyncifiedFunction('translate', async (text) =>
    context.newString(await translate(context.getString(text))),
  );
  context.setProp(context.global, 'translate', imported);
  imported.dispose();
  context.unwrapResult(context.evalCode(SCRIPT)).dispose();
  const next = context.getProp(context.global, 'next');
  const shout = context.getProp(context.global, 'shout');
  return {
    next: (x) => call(context, next, context.newNumber(x), (result) => context.getNumber(result)),
    shout: (text) => call(context, shout, context.newString(text), (result) => context.getString(result)),
    async shoutInGerman(text) {
      limit(context);
      const input = context.newString(text);
      context.setProp(context.global, 'input', input);
      input.dispose();
      const result = context.unwrapResult(await context.evalCodeAsync('shoutInGerman(input)'));
      return take(result, (handle) => context.getString(handle));
    },
    waitsTogether: false,
  };
}

function call<T>(
  context: QuickJSAsyncContext,
  fn: QuickJSHandle,
  argument: QuickJSHandle,
  read: (result: QuickJSHandle) => T,
): T {
  limit(context);
  const result = context.unwrapResult(context.callFunction(fn, context.undefined, argument));
  argument.dispose();
  return take(result, read);
}

function limit({ runtime }: QuickJSAsyncContext): void {
  runtime.setInterruptHandler(shouldInterruptAfterDeadline(Date.now() + TIMEOUT));
}

function take<T>(handle: QuickJSHandle, read: (handle: QuickJSHandle) => T): T {
  const value = read(handle);
  handle.dispose();
  return value;
}
