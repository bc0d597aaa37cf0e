/**
 * The imports that a guest need not be given, by name: what asc's own library imports from `env` (defaults.ts makes it),
 * and what the guest library of this package does (tasks.ts). The transform and the host have to agree on them.
 */

/** Module of the guest library's imports, which take numbers only and are described nowhere. */
export { TASKS as TASKS_MODULE } from '../runtime/metadata.ts';

/** Objects of the platform whose members a guest may import as `env.NAME.MEMBER`. */
export const PLATFORM = ['console', 'Date', 'Math', 'performance'] as const;

const PROVIDED = new RegExp(`^(?:abort|trace|seed|(?:${PLATFORM.join('|')})\\..+)$`);

/** Need the embedder not give this import? */
export function isProvided(module: string, name: string): boolean {
  return module === 'env' && PROVIDED.test(name);
}
