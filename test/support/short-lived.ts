/**
 * For a Node that runs Binaryen for a second or two: to optimise its ten megabytes of WebAssembly takes twice as long as
 * they then run.
 */
export const SHORT_LIVED: readonly string[] = ['--liftoff-only'];
