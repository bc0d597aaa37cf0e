/**
 * The limits that are compiled into a metered module, by the numbers by which it names them to the host: what each is called, what
 * a fiber asked for that has come to it, and the option that sets it.
 */
export const MODULE_LIMITS = [
  { name: 'memory', what: 'more memory', option: 'memoryPages' },
  { name: 'table', what: 'a larger table', option: 'tableElements' },
  { name: 'callDepth', what: 'deeper calls', option: 'callDepth' },
] as const;

/** The number of a limit. */
export function numberOfLimit(name: (typeof MODULE_LIMITS)[number]['name']): number {
  return MODULE_LIMITS.findIndex((each) => each.name === name);
}
