// Imported first by every script: the other modules need a Node.js that has what they use.
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `This project needs Node.js 20.19 or newer. This is ${process.version} (${process.execPath}).`,
  );
  process.exit(1);
}
