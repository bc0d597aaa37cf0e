// A small editor in a page and its server, which load the same three plugins: one in AssemblyScript, one in C, and Lua with scripts
// that you write in the page. What a plugin looks up, it waits for; a runaway is stopped while the page, and the server, go on.
//
// It serves the page until Ctrl+C, at any port that is free or at one that you say. With --demo it calls each plugin once and ends.
//
//   npm run example 06
//   npm run example 06 -- --port 8080 --latency 200
//   npm run example 06 -- --demo
import { readOptions } from '../arguments.ts';
import { demonstrate } from './demo.ts';
import { describeFailure } from './plugins.ts';
import { startServer } from './server.ts';

const { port, latency, demo } = readOptions({ port: 0, latency: 120 }, ['demo']);
const server = await startServer({ port, latency, print: (line) => console.log(`  lua prints: ${line}`) }).catch(
  (error: unknown) => {
    // Most often the port is another program's.
    console.error(`The server cannot be started: ${describeFailure(error)}`);
    return process.exit(1);
  },
);

if (demo) {
  await demonstrate(server);
  await server[Symbol.asyncDispose]();
} else {
  const curl = `curl --data-binary @README.md ${server.url}plugins`;
  console.log(`The editor is at ${server.url}`);
  console.log(`The same plugins, on the server:\n  ${curl}/wrap/justify\n  ${curl}/lua/run?script=sort-lines`);
  const stop = (): void => void server[Symbol.asyncDispose]();
  process.once('SIGINT', stop).once('SIGTERM', stop);
}
