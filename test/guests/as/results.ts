// A guest that returns what its collector manages, as plain AssemblyScript does: a reference that only the host holds.
// @ts-ignore: decorator
@external('env', 'wait_i32') declare function wait(value: i32): i32;

/** A string made after a wait. */
export function label(n: i32): string {
  return 'value-' + wait(n).toString();
}

/** Makes n strings and keeps none. */
export function churn(n: i32): i32 {
  let length = 0;
  for (let i = 0; i < n; i++) length += ('garbage-' + i.toString()).length;
  return length;
}
