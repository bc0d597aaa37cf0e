/** The builds of a program that are compared. The first is what the others are divided by. */
import { FiberError, type InstrumentOptions } from '../../host/instrument/index.ts';
import { settle } from '../../host/instrument/options.ts';

export type Recipe =
  /** As its compiler made it. */
  | { readonly kind: 'source' }
  /** Binaryen's passes alone. */
  | { readonly kind: 'binaryen'; readonly asyncify: boolean; readonly optimizeLevel: number }
  | { readonly kind: 'instrument'; readonly options: Readonly<Record<string, unknown>> }
  /** Made by somebody else. */
  | { readonly kind: 'file'; readonly file: string };

export interface Variant {
  /** For `--variants`. */
  readonly name: string;
  readonly label: string;
  readonly recipe: Recipe;
  /** Is it measured unless others are asked for? */
  readonly usual: boolean;
}

/** What `instrument` optimises at if nobody says otherwise: it is compared with Asyncify at the same level. */
const LEVEL = settle({ suspending: [] }).optimizeLevel;

export const VARIANTS: readonly Variant[] = [
  { name: 'source', label: 'un-instrumented', recipe: { kind: 'source' }, usual: true },
  {
    name: 'asyncify',
    label: 'plain Asyncify',
    recipe: { kind: 'binaryen', asyncify: true, optimizeLevel: LEVEL },
    usual: true,
  },
  { name: 'fibers', label: 'wasm-fibers', recipe: { kind: 'instrument', options: {} }, usual: true },
  {
    name: 'no-fast-path',
    label: 'without fast paths',
    recipe: { kind: 'instrument', options: { fastPath: false } },
    usual: true,
  },
  {
    name: 'optimised',
    label: 'un-instrumented, optimised likewise',
    recipe: { kind: 'binaryen', asyncify: false, optimizeLevel: LEVEL },
    usual: false,
  },
  {
    name: 'asyncify-O3',
    label: 'plain Asyncify, -O3',
    recipe: { kind: 'binaryen', asyncify: true, optimizeLevel: 3 },
    usual: false,
  },
  {
    name: 'fibers-O3',
    label: 'wasm-fibers, -O3',
    recipe: { kind: 'instrument', options: { optimizeLevel: 3 } },
    usual: false,
  },
  {
    name: 'fibers-jspi',
    label: 'wasm-fibers, JSPI',
    recipe: { kind: 'instrument', options: { target: 'jspi' } },
    usual: false,
  },
  {
    name: 'metered',
    label: 'metered',
    recipe: { kind: 'instrument', options: { metered: true } },
    usual: false,
  },
  {
    name: 'metered-jspi',
    label: 'metered, JSPI',
    recipe: { kind: 'instrument', options: { metered: true, target: 'jspi' } },
    usual: false,
  },
];

/** The variant whose figures have targets. */
export const OURS = 'fibers';

/** Does this state of the instrumenter know what the variant asks of it? */
export function exists({ recipe }: Variant): boolean {
  if (recipe.kind !== 'instrument') return true;
  try {
    settle({ suspending: [], ...recipe.options } satisfies InstrumentOptions);
    return true;
  } catch (error) {
    if (error instanceof FiberError && error.code === 'INVALID_OPTION') return false;
    throw error;
  }
}
