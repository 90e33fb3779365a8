// The main job of `npm start`: fits trend and seasons of the Mauna Loa CO2 series, some 700 monthly
// means since 1958, and leaves a report to look at.
import { existsSync, mkdirSync } from "node:fs";
import { at, fail, run, say } from "./common.mjs";

const report = "build/report/co2.html";

const fit = [
  "fit",
  "node_modules/vega-datasets/data/co2-concentration.csv",
  ...["--y", "CO2"],
  ...["--x", "t=Date"],
  "--model",
  "a+b*(t-1990)+c*(t-1990)^2" + "+s1*sin(2*pi*t)+c1*cos(2*pi*t)+s2*sin(4*pi*t)+c2*cos(4*pi*t)",
  ...["--start", "a=350,b=1,c=0,s1=1,c1=1,s2=0,c2=0"],
  ...["--html", report],
];

const command = "dist/cli/main.js";
if (!existsSync(at(command))) fail(`${command} is missing: the command line is not built`);
mkdirSync(at("build", "report"), { recursive: true });
say(
  "fitting trend and seasons of the CO2 measured on Mauna Loa, monthly since 1958, with this command:\n",
);
console.log(
  `adjoint ${fit.map((part) => (/^[\w=.,/-]+$/.test(part) ? part : `"${part}"`)).join(" ")}\n`,
);
run(process.execPath, [command, ...fit]);
