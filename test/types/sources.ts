// What instantiate takes, for the compiler: the platform's type of a module is an empty one, so that nothing but this says no.
import { instantiate } from 'wasm-fibers';
declare const m: WebAssembly.Module;
declare const b: Uint8Array<ArrayBuffer>;
declare const u: URL;
void instantiate(m);
void instantiate(b);
void instantiate(u);
void instantiate({ asyncify: u, jspi: b });
void instantiate(Promise.resolve(m));
void instantiate({ asyncify: Promise.resolve(m), jspi: m });
void instantiate(fetch('x'));
// @ts-expect-error -- no source
void instantiate('a.wasm');
// @ts-expect-error -- no source
void instantiate(5);
// @ts-expect-error -- no source
void instantiate({ asyncify: u });
// @ts-expect-error -- no source
void instantiate({ asyncify: 'a', jspi: u });
// @ts-expect-error -- no source
void instantiate({ asyncify: u, jspl: u });
