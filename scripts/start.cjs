// The entry point of every npm script. ECMAScript 5, so that any Node.js can run it and report that it is too old for run.mjs,
// instead of a syntax error.
"use strict";

var url = require("url");
var path = require("path");

var minimum = 20;
var version = process.versions.node;

if (Number(version.split(".")[0]) < minimum) {
  var found = process.execPath + " is " + version;
  var advice =
    "Install a current one (nodejs.org, or your system's packages), check node --version, and run it again.";
  console.error("error: this project needs Node.js " + minimum + " or newer, and " + found + ". " + advice);
  process.exit(1);
} else {
  // import() as text: older parsers reject the word.
  var load = new Function("file", "return import(file)");
  load(url.pathToFileURL(path.join(__dirname, "run.mjs")).href).catch(function (error) {
    console.error(error);
    process.exit(1);
  });
}
