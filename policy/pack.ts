import { PolicyPack } from "@pulumi/policy";
import { rules } from "./rules.ts";

export default new PolicyPack("production", { enforcementLevel: "mandatory", policies: [...rules] });
