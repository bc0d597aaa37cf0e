/** What `import 'wasm-fibers/wasi/node'` gives: what of WASI needs Node. */
export { type HostDirectoryOptions, hostDirectory } from './host-directory.ts';
