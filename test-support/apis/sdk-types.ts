import { createRequire } from "node:module";
import ts from "typescript";

/** A body that uses one parameter, form or value of a type, and the place where it does. */
export interface Sample {
  /** `messages[]<user>.content[]<file>.type`; `<>` names the member of a union. */
  readonly path: string;
  readonly value: unknown;
}

export type Given = Readonly<Record<string, unknown>>;

/** The types declared by installed packages. */
export class SdkTypes {
  readonly #program: ts.Program;

  constructor(modules: readonly string[]) {
    this.#program = ts.createProgram(modules.map(declarationsOf), {
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      // Excludes the browser's types, which take longest to read and occur in no body.
      lib: ["lib.es2023.d.ts"],
      strict: true,
      types: [],
    });
  }

  /**
   * Returns bodies that together use every parameter, form and value of a type, one at a time.
   *
   * @param given values that no type defines, by the place or the name of the parameter; they are always included
   */
  samplesOf(module: string, typeName: string, given: Given = {}): Sample[] {
    const checker = this.#program.getTypeChecker();
    const source = this.#program.getSourceFile(declarationsOf(module));
    const exported = source && checker.getSymbolAtLocation(source)?.exports;
    const symbol = exported?.get(ts.escapeLeadingUnderscores(typeName));
    if (symbol === undefined) throw new Error(`${module} declares no ${typeName}`);
    const place = { path: "", name: "", within: [] };
    return new Sampler(checker, given).samples(checker.getDeclaredTypeOfSymbol(symbol), place);
  }
}

function declarationsOf(module: string): string {
  return createRequire(import.meta.url)
    .resolve(module)
    .replace(/\.js$/, ".d.ts");
}

interface Place {
  readonly path: string;
  /** Name of the parameter that has the type. */
  readonly name: string;
  /** The types that contain it. */
  readonly within: readonly ts.Type[];
}

class Sampler {
  readonly #checker: ts.TypeChecker;
  readonly #given: Given;

  constructor(checker: ts.TypeChecker, given: Given) {
    this.#checker = checker;
    this.#given = given;
  }

  samples(type: ts.Type, place: Place): Sample[] {
    const { path, within } = place;
    if (type.isUnion()) {
      return this.#formsOf(type, place).flatMap((form) =>
        this.samples(form, { ...place, path: path + this.#label(form) }),
      );
    }
    const smallest = { path, value: this.#smallest(type, place) };
    if (within.includes(type) || this.#givenAt(place) !== undefined) return [smallest];
    const inner = { ...place, within: [...within, type] };
    const element = this.#elementOf(type);
    if (element !== undefined) {
      const elements = this.samples(element, { ...inner, path: `${path}[]` });
      return elements.map((sample) => ({ ...sample, value: [sample.value] }));
    }
    if (!isObject(type)) return [smallest];
    const varied = this.#propertiesOf(type).flatMap((property) =>
      this.samples(this.#typeOf(property), below(property, inner)).map((sample) => ({
        ...sample,
        value: { ...(smallest.value as object), [property.name]: sample.value },
      })),
    );
    return [smallest, ...varied];
  }

  /** A value without optional parts. */
  #smallest(type: ts.Type, place: Place): unknown {
    const given = this.#givenAt(place);
    if (given !== undefined) return given;
    if (type.isUnion()) {
      const forms = this.#formsOf(type, place).filter((form) => !(form.flags & ts.TypeFlags.Null));
      const form = forms.find(isString) ?? forms[0];
      if (form === undefined) return null;
      return this.#smallest(form, { ...place, path: place.path + this.#label(form) });
    }
    if (type.isLiteral()) return type.value;
    if (type.flags & ts.TypeFlags.BooleanLiteral) return this.#checker.typeToString(type) === "true";
    if (type.flags & ts.TypeFlags.Null) return null;
    if (type.flags & ts.TypeFlags.Number) return 1;
    if (isString(type)) return "x";
    const inner = { ...place, within: [...place.within, type] };
    const element = this.#elementOf(type);
    if (element !== undefined) {
      return place.within.includes(type)
        ? []
        : [this.#smallest(element, { ...inner, path: `${place.path}[]` })];
    }
    if (!isObject(type)) return {};
    const needed = this.#propertiesOf(type)
      .map((property) => ({ property, at: below(property, inner) }))
      .filter(
        ({ property, at }) => !(property.flags & ts.SymbolFlags.Optional) || this.#givenAt(at) !== undefined,
      )
      .map(({ property, at }) => [property.name, this.#smallest(this.#typeOf(property), at)]);
    const values = this.#checker.getIndexTypeOfType(type, ts.IndexKind.String);
    if (values !== undefined) needed.push(["x", this.#smallest(values, inner)]);
    return Object.fromEntries(needed) as unknown;
  }

  #givenAt({ path, name }: Place): unknown {
    return this.#given[path] ?? (path.endsWith(`.${name}`) ? this.#given[name] : undefined);
  }

  #formsOf(type: ts.UnionType, place: Place): ts.Type[] {
    const never = ts.TypeFlags.Undefined | (this.#givenAt(place) === undefined ? 0 : ts.TypeFlags.Null);
    return type.types.filter((form) => !(form.flags & never));
  }

  /** Excludes parameters that a client sends as headers. */
  #propertiesOf(type: ts.Type): ts.Symbol[] {
    return this.#checker
      .getPropertiesOfType(type)
      .filter(
        (property) =>
          !ts
            .displayPartsToString(property.getDocumentationComment(this.#checker))
            .startsWith("Header param:"),
      );
  }

  #typeOf(property: ts.Symbol): ts.Type {
    return this.#checker.getTypeOfSymbol(property);
  }

  #elementOf(type: ts.Type): ts.Type | undefined {
    return this.#checker.isArrayType(type)
      ? this.#checker.getTypeArguments(type as ts.TypeReference)[0]
      : undefined;
  }

  #label(form: ts.Type): string {
    if (!isObject(form) || this.#elementOf(form) !== undefined) return "";
    const names = ["type", "role"].flatMap((key) => {
      const property = form.getProperty(key);
      const value = property && this.#checker.getNonNullableType(this.#typeOf(property));
      return value?.isStringLiteral() ? value.value : [];
    });
    return names.length === 0 ? "" : `<${names.join(" ")}>`;
  }
}

function below({ name }: ts.Symbol, place: Place): Place {
  return { ...place, name, path: place.path === "" ? name : `${place.path}.${name}` };
}

function isObject(type: ts.Type): boolean {
  return (type.flags & ts.TypeFlags.Object) !== 0;
}

/** Includes `string & {}`, which stands for any string in a union with literals. */
function isString(type: ts.Type): boolean {
  return type.isIntersection() ? type.types.some(isString) : (type.flags & ts.TypeFlags.String) !== 0;
}
