#!/usr/bin/env node
import "./host/launch.js";
import { run } from "./cli/program.js";

void run();
