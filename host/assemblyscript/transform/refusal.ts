/** How the transform says no: asc prints the stack of whatever a transform throws, so a sentence has none. */
import { FiberError } from '../../errors.ts';

/** What is asked for cannot be had. */
export class Refusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Refusal';
    this.stack = message;
  }
}

/** Options of the command line that the instrumenter's sentences speak of, as the transform has them. */
const OPTIONS: Readonly<Record<string, string>> = {
  '--only': '"only"',
  '--add': '"add"',
  '--remove': '"remove"',
  '--suspending': '"suspending"',
  '--ignore-indirect': '"ignoreIndirect"',
};

/** An error of the instrumenter's in the words of asconfig.json; a defect keeps its stack. */
export function presentable(error: unknown): unknown {
  if (!(error instanceof FiberError) || error.code === 'INTERNAL') return error;
  const message = error.message.replace(
    /--(?:only|add|remove|suspending|ignore-indirect)\b/g,
    (each) => OPTIONS[each] ?? each,
  );
  const presented = new FiberError(error.code, message, { cause: error });
  presented.stack = message;
  return presented;
}
