// Web sites on the loopback interface to be crawled: slow, made of a few pages each, with links of every kind to each
// other, a dead one here and there, and no patience with whoever asks for too much at once.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const SUBJECTS = ['Bridges', 'Lighthouses', 'Tunnels', 'Canals', 'Towers', 'Harbours'];

/** How many sites there can be. */
export const MAX_SITES: number = SUBJECTS.length;

/** Stops all sites when it is disposed of. */
export interface Web extends AsyncDisposable {
  readonly sites: readonly Site[];
}

/** @param limit requests at once that a site bears; it answers more with 429 */
export async function startWeb(count: number, pages: number, limit: number): Promise<Web> {
  const sites = SUBJECTS.slice(0, count).map((subject) => new Site(subject, pages, limit));
  for (const site of sites) await site.listen();
  for (const [i, site] of sites.entries()) site.neighbour = sites[(i + 1) % count]?.url ?? '';
  return {
    sites,
    async [Symbol.asyncDispose]() {
      await Promise.all(sites.map((site) => site.close()));
    },
  };
}

export class Site {
  readonly subject: string;
  readonly #server: Server;
  readonly #pages: number;
  readonly #limit: number;
  /** Where the next site is, to which some pages link. */
  neighbour = '';
  /** Requests that are being answered, and the most at once since `takePeak`. */
  #current = 0;
  #peak = 0;

  constructor(subject: string, pages: number, limit: number) {
    this.subject = subject;
    this.#pages = pages;
    this.#limit = limit;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    // A server that listens on a port has an address of this kind.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  takePeak(): number {
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  #answer({ url = '/' }: IncomingMessage, response: ServerResponse): void {
    this.#current++;
    this.#peak = Math.max(this.#peak, this.#current);
    const tooMuch = this.#current > this.#limit;
    const page = url === '/' ? 0 : Number(/^\/entry-(\d+)$/.exec(url)?.[1] ?? -1);
    // The same page always takes the same time: 20 to 60 ms.
    setTimeout(
      () => {
        this.#current--;
        if (tooMuch) response.writeHead(429).end();
        else if (page < 0 || page >= this.#pages) response.writeHead(404).end();
        else response.writeHead(200, { 'content-type': 'text/html' }).end(this.#page(page));
      },
      20 + ((page * 17 + this.subject.length) % 41),
    );
  }

  #page(page: number): string {
    const title = page === 0 ? this.subject : `${this.subject}, entry ${page}`;
    const below = [2 * page + 1, 2 * page + 2].filter((each) => each < this.#pages);
    const links = below.map((each) => `<li><a href="entry-${each}">Entry ${each}</a></li>`);
    links.push(`<li><a class="home" href='/#top'>${this.subject}</a></li>`);
    if (page % 5 === 0) links.push(`<li><a href=${this.neighbour}>elsewhere</a></li>`);
    if (page % 9 === 4) links.push(`<li><a href="/entry-${page}0000">a page that was here once</a></li>`);
    links.push('<li><a href="mailto:keeper@example.org">The keeper</a></li>');
    return `<!doctype html>\n<title>${title}</title>\n<ul>\n${links.join('\n')}\n</ul>\n`;
  }
}
