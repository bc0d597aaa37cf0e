// A slow web server on the loopback interface: hands out jobs and this repository's own sources, each after 20 to 40 ms.
import { readFile, readdir } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

/** Different jobs; a higher number is one of these again. */
export const JOBS = 10;
const FILES_PER_JOB = 4;

export interface SlowServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: number;
}

/** Serves the sources under `host/` of the repository at `root`. */
export async function startServer(root: string): Promise<SlowServer> {
  const names = await readdir(path.join(root, 'host'), { recursive: true });
  const files = names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `/host/${name.split(path.sep).join('/')}`)
    .toSorted();
  const known = new Set(files);
  let requests = 0;

  async function body(pathname: string): Promise<string | null> {
    const job = /^\/job\/(\d+)$/.exec(pathname)?.[1];
    if (job !== undefined) {
      const first = (Number(job) % JOBS) * FILES_PER_JOB;
      return Array.from({ length: FILES_PER_JOB }, (_, i) => files[(first + i) % files.length]).join('\n');
    }
    return known.has(pathname) ? readFile(path.join(root, pathname), 'utf8') : null;
  }
  async function answer(pathname: string, response: ServerResponse): Promise<void> {
    const text = await body(pathname);
    // The same path always takes the same time.
    const latency = 20 + ((pathname.length * 7) % 21);
    setTimeout(() => response.writeHead(text === null ? 404 : 200).end(text ?? 'no such file'), latency);
  }

  const server = createServer((request, response) => {
    requests++;
    void answer(new URL(request.url ?? '/', 'http://localhost').pathname, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // A server that listens on a port has an address of this kind.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
