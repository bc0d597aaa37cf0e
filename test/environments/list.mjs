// Where the tests run: each environment's name (for --only), its Vitest configuration, how to find it on this machine,
// and what to tell a person who lacks it.
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** `node20` on Node 20: this machine's Node, on which everything runs. */
export const machineNode = `node${process.versions.node.split('.')[0]}`;

/** The folder whose package brings other Nodes, and what its installation leaves. */
export const NODES = path.join(ROOT, 'test/nodes');
export const NODES_INSTALLED = path.join(NODES, 'node_modules/.package-lock.json');

function onPath(...names) {
  const candidates = names.flatMap((name) =>
    (process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, name)),
  );
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function otherNode(name) {
  return {
    name,
    title: `Node ${name.slice('node'.length)}`,
    config: 'test/environments/other-node.config.ts',
    needsNodes: true,
    remedy: "install it by 'npm ci --prefix test/nodes' (linux-x64), or run 'npm test -- --only node' with that Node",
    find() {
      const node = path.join(NODES, 'node_modules', name, 'bin/node');
      return existsSync(node) ? { node, env: {} } : undefined;
    },
  };
}

function browser(name, title, variable, executables) {
  return {
    name,
    title,
    config: `test/environments/${name}.config.ts`,
    remedy: `install ${executables[0]}`,
    find() {
      const executable = onPath(...executables);
      return executable === undefined ? undefined : { node: process.execPath, env: { [variable]: executable } };
    },
  };
}

const thisNode = (title, config) => ({
  name: machineNode,
  title: `${title} (Node ${process.versions.node})`,
  config,
  find: () => ({ node: process.execPath, env: {} }),
});

/** What `npm test` runs, in this order. */
export const ENVIRONMENTS = [
  thisNode("this machine's Node", 'vitest.config.ts'),
  ...['node24', 'node26'].filter((name) => name !== machineNode).map(otherNode),
  browser('chromium', 'Chromium', 'FIBERS_CHROMIUM', ['chromium', 'chromium-browser', 'google-chrome']),
  browser('firefox', 'Firefox', 'FIBERS_FIREFOX', ['firefox-esr', 'firefox']),
];

/** What `npm run test:slow` runs. */
export const SLOW_ENVIRONMENTS = [thisNode('slow tests', 'test/environments/slow.config.ts')];
