// The oxlint rule house/order: the folders of host/ form a strict order in which a lower one never
// imports a higher one, not even its types, and each heavy package has the one folder that may load it.
// It resolves specifiers to files, which patterns over specifiers (no-restricted-imports) cannot: '../index.ts' is
// the top of the runtime in one folder and a neighbour in another.
import path from 'node:path';

/** Lowest first; entries on one line may import each other. A file of host/ that stands in none of them is an error. */
const ORDER = [
  ['errors.ts', 'trace.ts'],
  ['backends/'],
  ['runtime/'],
  ['index.ts'],
  ['source-maps/'],
  ['observe/'],
  ['instrument/'],
  ['assemblyscript/'],
  ['wasi/'],
  ['plugin/'],
  ['cli/'],
];

/** Packages that only the named folders of host/ may load. Types (`import type`) cost nothing and may go anywhere. */
const PACKAGES = {
  '@jridgewell/trace-mapping': ['source-maps/', 'instrument/'],
  binaryen: ['instrument/'],
  assemblyscript: ['assemblyscript/'],
  '@wasmer/wasi': ['wasi/'],
  valibot: ['plugin/'],
  commander: ['cli/'],
};

/** What runs in Node alone: the command, files of the host, and what runs inside of the AssemblyScript compiler. */
const NODE_ONLY = ['cli/', 'wasi/node/', 'assemblyscript/transform/'];

const levelOf = (file) =>
  ORDER.findIndex((level) => level.some((entry) => (entry.endsWith('/') ? file.startsWith(entry) : file === entry)));
const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** What is wrong with `file` (relative to host/) importing `specifier`, as a sentence, or undefined. */
function violation(file, specifier, typeOnly) {
  if (specifier.startsWith('.')) {
    const target = path.posix.join(path.posix.dirname(file), specifier);
    if (target.startsWith('..'))
      return `host/${file} imports '${specifier}' from outside host/, which is not published.`;
    if (levelOf(target) < 0)
      return `host/${target} has no place in the order of folders: give it one in test/house/order.mjs.`;
    if (levelOf(target) <= levelOf(file)) return undefined;
    return `host/${file} imports upward: host/${target} is the higher one. Move what both need down, or pass it in.`;
  }
  if (specifier.startsWith('node:')) {
    return NODE_ONLY.some((folder) => file.startsWith(folder))
      ? undefined
      : `Only ${NODE_ONLY.map((each) => `host/${each}`).join(' and ')} may import '${specifier}': everything else runs in browsers too.`;
  }
  const name = packageOf(specifier);
  if (name === 'wasm-fibers')
    return `host/${file} imports its own package by name, which hides the order of folders: use a relative path.`;
  const homes = PACKAGES[name];
  if (homes === undefined)
    return `'${name}' is no package that host/ may import: its dependencies are listed in test/house/order.mjs.`;
  return typeOnly || homes.some((home) => file.startsWith(home))
    ? undefined
    : `Only ${homes.map((home) => `host/${home}`).join(' and ')} may import '${name}'; elsewhere use 'import type' or call host/${homes[0]}.`;
}

/** True where every binding of an import or export declaration is a type. */
function isTypeOnly(node) {
  if (node.importKind === 'type' || node.exportKind === 'type' || node.type === 'TSImportType') return true;
  const names = node.specifiers ?? [];
  return names.length > 0 && names.every((each) => each.importKind === 'type' || each.exportKind === 'type');
}

export const order = {
  create(context) {
    const file = path.relative(context.cwd, context.filename).split(path.sep).join('/');
    if (!file.startsWith('host/')) return {};
    const inHost = file.slice('host/'.length);
    const check = (node) => {
      const specifier = node.source?.value ?? node.argument?.literal?.value;
      if (typeof specifier !== 'string') return;
      const message = violation(inHost, specifier, isTypeOnly(node));
      if (message !== undefined) context.report({ node, message });
    };
    return {
      Program(node) {
        if (levelOf(inHost) < 0)
          context.report({ node, message: violation(inHost, `./${path.posix.basename(inHost)}`, false) });
      },
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};
