/**
 * A crawler, as one writes it for a machine that does one thing at a time: take an address from the queue, get the page,
 * look for links, put new ones into the queue. Several workers do so at once, because `httpGet` lets the others run while
 * it waits; in between nobody else runs, so that what they share needs no lock.
 */
import { Queue, Result, Semaphore, Task, gather, spawn } from 'wasm-fibers/assembly';
import { linksOf, siteOf, titleOf } from './html';

/** Gets a page. If the host's promise is rejected, that is a result too: a dead link does not end the crawl. */
// @ts-ignore: decorator
@suspending
@external('web', 'get')
declare function httpGet(url: string): Result<string>;

/** What was found at an address. */
class Page {
  url: string = '';
  /** The page that led here first. */
  from: string = '';
  title: string = '';
  links: i32 = 0;
  /** Why there is no page; null if there is one. */
  problem: string | null = null;
}

class Report {
  pages: Page[] = [];
  /** How many of the pages each worker got. */
  shares: i32[] = [];
}

class Crawl {
  readonly queue: Queue<Page> = new Queue<Page>();
  readonly pages: Page[] = [];
  private readonly seen: Set<string> = new Set<string>();
  private readonly gates: Map<string, Semaphore> = new Map<string, Semaphore>();

  constructor(private readonly perSite: i32) {}

  /** Queues an address, unless that was done before. */
  add(url: string, from: string): void {
    if (this.seen.has(url)) return;
    this.seen.add(url);
    const page = new Page();
    page.url = url;
    page.from = from;
    this.queue.put(page);
  }

  /** Lets only so many through to a site at once. */
  gateOf(url: string): Semaphore {
    const site = siteOf(url);
    if (!this.gates.has(site)) this.gates.set(site, new Semaphore(this.perSite, site));
    return this.gates.get(site);
  }

  visit(page: Page): void {
    const body = this.gateOf(page.url).runExclusive(httpGet, page.url);
    this.pages.push(page);
    const failure = body.failure;
    if (failure) {
      page.problem = failure.message;
      return;
    }
    const links = linksOf(body.value, page.url);
    page.title = titleOf(body.value);
    page.links = links.length;
    for (let i = 0; i < links.length; i++) this.add(links[i], page.url);
  }
}

/** What workers take as the end of the queue. */
const END = new Page();

function work(crawl: Crawl): i32 {
  let visited = 0;
  for (let page = crawl.queue.get(); page != END; page = crawl.queue.get()) {
    crawl.visit(page);
    crawl.queue.taskDone();
    visited++;
  }
  return visited;
}

/**
 * Gets every page that can be reached from one.
 *
 * @param workers how many pages to deal with at once, at most
 * @param perSite how many requests a site gets at once, at most
 */
export function crawl(start: string, workers: i32, perSite: i32): Report {
  const crawl = new Crawl(perSite);
  crawl.add(start, '');
  const tasks: Task<i32>[] = [];
  for (let i = 1; i <= workers; i++) tasks.push(spawn(work, crawl, 'worker ' + i.toString()));
  // Not when the queue is empty, but when nobody works on a page any more that may have links.
  crawl.queue.join();
  for (let i = 0; i < workers; i++) crawl.queue.put(END);
  const report = new Report();
  report.shares = gather(tasks);
  report.pages = crawl.pages;
  return report;
}
