import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/chat.css";
import "./styles/panels.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { keepChats } from "./chat/store.ts";
import { followSession } from "./session/session.ts";
import { followTheme } from "./ui/theme.ts";

followTheme();
keepChats();
followSession();
render(<App />, document.getElementById("app") ?? document.body);
