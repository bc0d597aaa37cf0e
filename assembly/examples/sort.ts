/**
 * Synchronous code, as anybody would write it: sorts files by size, then weighs each with what it imports, and asks
 * for every file by HTTP just where it needs it: in a comparator, and in a callback inside of a callback. Nothing in
 * here knows that `httpGet` waits.
 */

/** Asks for a path; the length of the body in UTF-16 units. This is the call that waits. */
@external('env', 'http_get') declare function requestBody(path: string): i32;
/** Copies the body that was just waited for. */
@external('env', 'http_body') declare function copyBody(to: usize): void;
/** Hands over the result, while it is alive. */
@external('env', 'report') declare function report(job: i32, text: string): void;

function httpGet(path: string): string {
  const length = requestBody(path);
  const body = changetype<string>(__new(<usize>length << 1, idof<string>()));
  copyBody(changetype<usize>(body));
  return body;
}

/** The paths of the files that a file imports. */
function importsOf(file: string, text: string): string[] {
  const paths: string[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const from = line.indexOf(` from '.`);
    if (from >= 0 && line.startsWith('import')) paths.push(file + '/../' + line.substring(from + 7, line.lastIndexOf(`'`)));
  }
  return paths;
}

/** The size of a file and of everything it imports. */
function weigh(file: string): string {
  const text = httpGet(file);
  const weight = importsOf(file, text).reduce<i32>((sum, path) => sum + httpGet(path).length, text.length);
  return file + ' ' + weight.toString();
}

export function run(job: i32): void {
  const files = httpGet('/job/' + job.toString()).split('\n');
  files.sort((a, b) => httpGet(a).length - httpGet(b).length);
  report(job, files.map<string>(file => weigh(file)).join('\n'));
}
