// The oxlint rule house/reasons: a non-null assertion says why it cannot be null, in a comment on its line or the one
// above. The stock rule forbids all of them, and is then switched off by comments that give no reason either.

export const reasons = {
  create(context) {
    let commented;
    /** The lines that a comment touches, counted from 1; read once per file that has an assertion. */
    const linesWithComments = () => {
      commented ??= new Set(
        context.sourceCode.getAllComments().flatMap(({ loc }) => {
          const lines = [];
          for (let line = loc.start.line; line <= loc.end.line; line++) lines.push(line);
          return lines;
        }),
      );
      return commented;
    };
    return {
      TSNonNullExpression(node) {
        const line = node.loc.end.line;
        if (linesWithComments().has(line) || linesWithComments().has(line - 1)) return;
        context.report({
          node,
          message: "Say in a comment on this line or above why this is never null, or do without '!'.",
        });
      },
    };
  },
};
