// Runs a wasm32-wasi program under node: node tools/wasi_run.mjs PROGRAM.wasm ARGUMENT…
// The program sees the whole file system under the same names, so that tests need no mapping; names
// of files have to be absolute. (A second preopen "." would make wasi-libc lose the "/" one.)
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const wasi = new WASI({
  version: "preview1",
  args: process.argv.slice(2),
  env: process.env,
  preopens: { "/": "/" },
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(process.argv[2]));
const instance = await WebAssembly.instantiate(module, {
  wasi_snapshot_preview1: wasi.wasiImport,
});
process.exitCode = wasi.start(instance);
