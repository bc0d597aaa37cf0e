/** The guest-side library, as one entry file: `asc node_modules/wasm-fibers/assembly/index.ts app.ts`. */
export * from './fibers';
