/** Everything of the host that a plugin could have reached and must not have changed. */

/** Named, so that a report says where a change is. */
type Watched = readonly [name: string, object: object];

const GLOBALS: readonly Watched[] = [
  ['globalThis', globalThis],
  ['Object.prototype', Object.prototype],
  ['Function.prototype', Function.prototype],
  ['Array.prototype', Array.prototype],
  ['Promise', Promise],
  ['Promise.prototype', Promise.prototype],
  ['Error.prototype', Error.prototype],
  ['WebAssembly', WebAssembly],
  ['WebAssembly.Memory.prototype', WebAssembly.Memory.prototype],
  ['WebAssembly.Instance.prototype', WebAssembly.Instance.prototype],
  ['Uint8Array.prototype', Uint8Array.prototype],
];

// Node makes these when they are first asked for, and notes among the globals what they need.
void [globalThis.AbortController, globalThis.Response];

type Properties = ReadonlyMap<PropertyKey, PropertyDescriptor>;

function propertiesOf(object: object): Properties {
  return new Map(Reflect.ownKeys(object).map((key) => [key, Reflect.getOwnPropertyDescriptor(object, key) ?? {}]));
}

function sameProperty(a: PropertyDescriptor, b: PropertyDescriptor): boolean {
  const { value, get, set, writable, enumerable, configurable } = a;
  return (
    Object.is(value, b.value) &&
    get === b.get &&
    set === b.set &&
    writable === b.writable &&
    enumerable === b.enumerable &&
    configurable === b.configurable
  );
}

/**
 * @param own objects of the embedder that the plugin was given
 * @returns what tells what has changed since
 */
export function watchOutside(own: readonly Watched[]): () => string[] {
  const before = [...GLOBALS, ...own].map(([name, object]) => ({ name, object, properties: propertiesOf(object) }));
  return () =>
    before.flatMap(({ name, object, properties }) => {
      const now = propertiesOf(object);
      const keys = [...new Set([...properties.keys(), ...now.keys()])];
      return keys
        .filter((key) => !sameProperty(properties.get(key) ?? {}, now.get(key) ?? {}))
        .map((key) => `${name}.${String(key)}`);
    });
}
