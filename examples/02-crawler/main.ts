// A crawler in AssemblyScript that waits for HTTP wherever it likes: workers with a queue between them, a semaphore for
// each site, and not a word about promises. First with one worker, then with many.
//
// It is compiled for both backends (`"target": "both"` in asconfig.json): where there is JSPI, it runs on that.
//
//   npm run example 02
//   npm run example 02 -- --workers 30 --sites 6 --pages 40 --per-site 6
import { currentFiber } from 'wasm-fibers/assemblyscript';
import { readNumbers } from '../arguments.ts';
import { instantiate, type Report } from './crawler.js';
import { MAX_SITES, startWeb } from './sites.ts';

const options = readNumbers({ workers: 12, sites: 3, pages: 20, 'per-site': 4 });
const { workers, pages, 'per-site': perSite } = options;
const sites = Math.min(options.sites, MAX_SITES);

/** What the guest imports: an ordinary async function. The guest is given what it throws as well. */
async function get(url: string): Promise<string> {
  const response = await fetch(url, { signal: currentFiber()?.signal ?? null });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.text();
}

await using web = await startWeb(sites, pages, perSite);
const home = web.sites[0]?.url ?? '';
await using guest = await instantiate({ web: { get } });

async function crawl(workers: number): Promise<{ report: Report; seconds: number }> {
  const start = performance.now();
  const report = await guest.exports.crawl(home, workers, perSite);
  return { report, seconds: (performance.now() - start) / 1000 };
}

console.log(
  `${sites} sites of ${pages} pages, which take 20 to 60 ms each. A site refuses more than ${perSite} at once.\n`,
);

const alone = await crawl(1);
for (const site of web.sites) site.takePeak();
const together = await crawl(workers);

const { report } = together;
const [least, most] = [Math.min(...report.shares), Math.max(...report.shares)];
const times = (alone.seconds / together.seconds).toFixed(1);
console.log(`  1 worker     ${alone.report.pages.length} pages in ${alone.seconds.toFixed(2)} s`);
console.log(
  `  ${`${workers} workers`.padEnd(12)} ${report.pages.length} pages in ${together.seconds.toFixed(2)} s, ` +
    `${times} times as fast; ${least} to ${most} pages each\n`,
);

console.log('  site                      title         pages  links  at once');
for (const site of web.sites) {
  const found = report.pages.filter((page) => page.url.startsWith(site.url) && page.problem === null);
  const links = found.reduce((sum, page) => sum + page.links, 0);
  const title = found.find((page) => page.url === site.url)?.title ?? '';
  const numbers = [found.length, links, site.takePeak()].map((each, i) => String(each).padStart([5, 6, 8][i] ?? 0));
  console.log(`  ${site.url.padEnd(25)} ${title.padEnd(13)} ${numbers.join(' ')}`);
}

const dead = report.pages.filter((page) => page.problem !== null);
console.log(`\n  ${dead.length} dead links`);
for (const { url, from, problem } of dead) console.log(`    ${url}: ${problem}, linked from ${new URL(from).pathname}`);

// Whoever is first at a page, what is found is the same.
const urls = (each: Report): string =>
  each.pages
    .map(({ url, problem }) => `${url} ${problem}`)
    .sort()
    .join('\n');
if (urls(alone.report) !== urls(report)) {
  console.error('\nThe two crawls found different pages.');
  process.exitCode = 1;
}
