// Where the tests run: a backend on a runtime. Each environment has a name (for --only), its Vitest configuration, how to
// find it on this machine, and what to tell a person who lacks it.
//
// The names: `node26-jspi` is the backend JSPI on Node 26. --only takes these, and also a runtime (`node26`) or a backend
// (`jspi`), for all environments that have it.
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** `node20` on Node 20: this machine's Node, on which everything runs, in two environments. */
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

const TITLES = { asyncify: 'Asyncify', jspi: 'JSPI' };

/**
 * One environment.
 *
 * @param pairs are guests given as pairs, from which the backend is chosen? Else as the one module for this backend
 * @param effort what part of their iterations random tests do: all of it in `npm run test:slow`; half of it once on each backend,
 * less where an engine has been tried on the other backend, or a backend on a near relative of the engine
 */
function environment(runtime, backend, { pairs = false, effort = 1, ...more } = {}) {
  const { name = `${runtime.name}-${backend}`, title = `${runtime.title}, ${TITLES[backend]}`, env = {} } = more;
  return {
    ...runtime,
    name,
    title,
    runtime: runtime.name,
    backend,
    env: {
      ...env,
      FIBERS_ENVIRONMENT: name,
      FIBERS_BACKEND: backend,
      FIBERS_PAIRS: pairs ? '1' : '0',
      FIBERS_EFFORT: String(effort),
    },
    effort,
  };
}

const SPEC_ON_NODE = 'test/environments/other-node.config.ts';
const SLOW = 'test/environments/slow.config.ts';

/** This machine's Node, where it is the one that is asked for, or the one that test/nodes brings. */
function node(name, config) {
  const own = name === machineNode;
  return {
    name,
    title: own ? `this machine's Node (Node ${process.versions.node})` : `Node ${name.slice('node'.length)}`,
    config,
    needsNodes: !own,
    remedy: "install it by 'npm ci --prefix test/nodes' (linux-x64), or run 'npm test -- --only node' with that Node",
    find() {
      const executable = own ? process.execPath : path.join(NODES, 'node_modules', name, 'bin/node');
      return existsSync(executable) ? { node: executable, env: {} } : undefined;
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

const chromium = browser('chromium', 'Chromium', 'FIBERS_CHROMIUM', ['chromium', 'chromium-browser', 'google-chrome']);
const firefox = browser('firefox', 'Firefox', 'FIBERS_FIREFOX', ['firefox-esr', 'firefox']);

/** What `npm test` runs, in this order. */
export const ENVIRONMENTS = [
  // The longest first: whatever ends last has the machine to itself.
  environment(node(machineNode, 'test/environments/tools.config.ts'), 'asyncify', {
    name: `${machineNode}-tools`,
    title: `tools and documents on Node ${process.versions.node}`,
  }),
  environment(node(machineNode, 'test/environments/machine-node.config.ts'), 'asyncify', { effort: 0.5 }),
  // Node 24 is the first that has JSPI. For Asyncify it is nothing between the oldest and the newest.
  ...['node26']
    .filter((name) => name !== machineNode)
    .map((name) => environment(node(name, SPEC_ON_NODE), 'asyncify', { effort: 0.15 })),
  environment(node('node24', SPEC_ON_NODE), 'jspi', { effort: 0.15 }),
  environment(node('node26', SPEC_ON_NODE), 'jspi', { pairs: true, effort: 0.5 }),
  environment(chromium, 'asyncify', { effort: 0.15 }),
  environment(chromium, 'jspi', { pairs: true, effort: 0.15 }),
  environment(firefox, 'asyncify', { effort: 0.15 }),
  environment(firefox, 'jspi', { effort: 0.15 }),
  environment(firefox, 'asyncify', {
    name: 'firefox-no-jspi',
    title: 'Firefox without JSPI, Asyncify',
    pairs: true,
    effort: 0.1,
    env: { FIBERS_WITHOUT_JSPI: '1' },
  }),
];

/** What `npm run test:slow` runs. */
export const SLOW_ENVIRONMENTS = [
  environment(node(machineNode, SLOW), 'asyncify', { title: 'slow tests, Asyncify' }),
  environment(node('node26', SLOW), 'jspi', { title: 'slow tests, JSPI' }),
];
