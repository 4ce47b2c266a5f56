"""Chinese of the messages of the command line and of the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MESSAGES"]

MESSAGES: Mapping[str, str] = {
    # Shared
    "Run {command} --help for its arguments and options.": "参数与选项见 {command} --help。",
    "the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN": (
        "缺少 appAuthToken；请用 --token 指定，或设置 KFQ_APP_AUTH_TOKEN"
    ),
    "To retry the same request, run the command again with {option}": (
        "如需重试同一请求，请再次运行该命令并加上 {option}"
    ),
    "message of the platform: {message}": "平台消息：{message}",
    "remedy: {remedy}": "处理办法：{remedy}",
    "warning: {text}": "警告：{text}",
    "row {row}: {reason}": "第 {row} 行：{reason}",
    "{option} {value}: {problem}": "{option} {value}：{problem}",
    "{file} is not a file": "{file} 不是文件",
    "it is not UTF-8": "不是 UTF-8",
    "{name} must hold hexadecimal digits, two per byte": "{name} 必须为十六进制，每字节两位",
    ", ": "，",
    "{count} {name}": "{name} {count}",
    " or ": " 或 ",
    "company": "企业",
    "order": "订单号",
    "link": "链接",
    "attempts": "请求次数",
    "companies": "企业",
    "(no name)": "（无名称）",
    # kfq link
    "name the company: give at least --company-name, or --file with the request as JSON": (
        "请指定企业：至少给出 --company-name，或用 --file 给出 JSON 格式的请求"
    ),
    "--file holds the whole request; leave out {options}": "--file 已包含整个请求；请去掉 {options}",
    "--file {file} is nested too deeply for a request": "--file {file}：嵌套层数过多，不是合法请求",
    "--file {file} is not JSON in UTF-8, line {line}": "--file {file}：第 {line} 行不是 UTF-8 编码的 JSON",
    "--file {file} is not JSON in UTF-8": "--file {file}：不是 UTF-8 编码的 JSON",
    # kfq contract
    (
        "{option} must be KEYWORD@last (or @first, @every; @last+60,-5 moves it right and down), or @PAGE:LEFT,TOP in "
        "points, not {text!r}"
    ): (
        "{option} 应为 关键字@last（或 @first、@every；@last+60,-5 表示向右、向下偏移），或以点为单位的 @页码:左,上，"
        "而不是 {text!r}"
    ),
    "{option} is missing; give it, or the whole request with --request": (
        "缺少 {option}；请指定，或用 --request 给出整个请求"
    ),
    "each --sign needs a --signer: {places} were given, and {signers}": (
        "每个 --sign 都需要对应的 --signer：现有 {places} 个 --sign、{signers} 个 --signer"
    ),
    "{option} must be NAME:CONTACT, such as 李四:13800138000": "{option} 的格式为 姓名:联系方式，例如 李四:13800138000",
    "--request holds the whole request; leave out {options}": "--request 已包含整个请求；请去掉 {options}",
    "--request {file} is not a file": "--request {file} 不是文件",
    "--request {file} must define request(document), which returns a ContractDraftRequest": (
        "--request {file} 必须定义 request(document)，并返回 ContractDraftRequest"
    ),
    "--expires must be a day, such as 2027-01-31, not {text!r}": "--expires 应为日期，例如 2027-01-31，而不是 {text!r}",
    "--request {file} is not JSON in UTF-8": "--request {file}：不是 UTF-8 编码的 JSON",
    "warning: no keyword can be found in {file}: {reason}": "警告：无法在 {file} 中查找关键字：{reason}",
    "kept as a draft, which is started on the platform's pages only": "已保存为草稿，只能在平台页面上发起",
    "1 page": "{count} 页",
    "page {pages}": "第 {pages} 页",
    "{place}: ": "{place}：",
    "once": "{count} 次",
    "{place}, line {line}": "{place}第 {line} 行",
    "{kind} at x {x0:.1f} to {x1:.1f}, y {y0:.1f} to {y1:.1f} pt, y upwards": (
        "{kind}：x {x0:.1f} 至 {x1:.1f}，y {y0:.1f} 至 {y1:.1f} 点（y 轴向上）"
    ),
    "{file}, {pages}: {keyword} is found {times} by the platform": "{file}，{pages}：平台可找到“{keyword}”{times}",
    "{file}, {pages}: {keyword} is not found by the platform": "{file}，{pages}：平台找不到“{keyword}”",
    "kfq contract draft finds the keyword here, and sends its own place as coordinates": (
        "kfq contract draft 会在本机查找关键字，并以坐标提交其实际位置"
    ),
    "counts from the start of {run}, {shift:.1f} pt before the keyword": (
        "从“{run}”的起点算起，位于关键字之前 {shift:.1f} 点"
    ),
    "signature": "签字",
    "seal": "印章",
    "date": "日期",
    "cross-page seal": "骑缝章",
    "--picture must be WIDTHxHEIGHT in pixels, such as 240x120, not {text!r}": (
        "--picture 应为 宽x高（像素），例如 240x120，而不是 {text!r}"
    ),
    "{label} page {page}, line {line}: {text}": "{label} 第 {page} 页第 {line} 行：{text}",
    "… and {count} more places; --json lists all of them": "……另有 {count} 处；用 --json 列出全部",
    "… and {count} more warnings; --json lists all of them": "……另有 {count} 条警告；用 --json 列出全部",
    "found instead: {parts}": "找到的近似内容：{parts}",
    "likely a clause, and not a place to sign": "可能是条款正文，而非签署处",
    "the mark jumps to the top of the page": "签章会跳到页面顶端",
    "the platform moves the mark to keep it inside the page": "平台会移动签章，使其不超出页面",
    "--{name} must be from {least:g} to {most:g} points, not {size:g}": (
        "--{name} 应为 {least:g} 至 {most:g} 点，而不是 {size:g}"
    ),
    "--hours must be more than 0 and at most {most:g}, not {hours:g}": (
        "--hours 应大于 0 且不超过 {most:g}，而不是 {hours:g}"
    ),
    "Mark": "签章",
    "Kind": "类型",
    "Page": "页码",
    "Position in the request": "在请求中的位置",
    "Page {number}": "第 {number} 页",
    "{number}. {kind} on page {page}: {path}": "{number}. 第 {page} 页，{kind}：{path}",
    "drawn in {file}": "已绘制到 {file}",
    "Predicted by rules that were measured at one release of the platform; nothing was sent.": (
        "按平台某一版本实测的规则推算；未发送任何请求。"
    ),
    "a preview needs pdfminer.six, pypdfium2 and Pillow; run pip install 'kfq-async[preview]'": (
        "预览需要 pdfminer.six、pypdfium2 与 Pillow；请运行 pip install 'kfq-async[preview]'"
    ),
    "a part of the mark lies outside the page": "签章有一部分超出页面",
    "contractId": "合同 ID（contractId）",
    "status": "状态（status）",
    "unexpected arguments: {arguments}": "多余的参数：{arguments}",
    "open task: {task}": "待办任务：{task}",
    "waiting for {states}": "等待状态变为 {states}",
    # kfq demo
    (
        "faults: 6 % of responses delayed by 0.4 s, 6 % of requests executed but their responses lost, 4 % of "
        "requests lost"
    ): ("故障：6 % 的响应延迟 0.4 秒，6 % 的请求已执行但响应丢失，4 % 的请求丢失"),
    "--file {file} names no company; fill in company_name, credit_code or account_name": (
        "--file {file} 中没有企业；请填写 company_name、credit_code 或 account_name"
    ),
    "sandbox at {base_url}": "沙箱地址 {base_url}",
    "--file {file}, row {row}: {reason}": "--file {file} 第 {row} 行：{reason}",
    "its error message is above": "错误信息见上",
    "the sandbox did not start: {reason}": "沙箱未能启动：{reason}",
    "{done} of {total} companies, {rate:.0f}/s, {left:.0f} s left: {counts}": (
        "企业 {done}/{total}，{rate:.0f}/s，剩余 {left:.0f} 秒：{counts}"
    ),
    "{done} companies, {rate:.0f}/s: {counts}": "企业 {done}，{rate:.0f}/s：{counts}",
    "{done} of {total} companies, {rate:.0f}/s: {counts}": "企业 {done}/{total}，{rate:.0f}/s：{counts}",
    (
        "The sandbox of this demo has ended, so its links no longer open. To open one,\nrun kfq sandbox, and in "
        "another terminal the kfq link command that it prints."
    ): (
        "本演示的沙箱已结束，链接无法再打开。如需打开链接，\n请运行 kfq sandbox，并在另一终端运行它打印的 kfq link 命"
        "令。"
    ),
    "{companies} companies, {links} links, {retries} retries, {orders} orders, {duplicates} duplicates": (
        "企业 {companies}，链接 {links}，重试 {retries}，订单 {orders}，重复 {duplicates}"
    ),
    (
        "{companies} companies, {links} links, {retries} retries, {orders} orders in the sandbox, {duplicates} "
        "duplicates"
    ): ("企业 {companies}，链接 {links}，重试 {retries}，沙箱中的订单 {orders}，重复 {duplicates}"),
    "{count} more got their link at the first attempt; show them with --all.": (
        "另有 {count} 家首次请求即获得链接；用 --all 显示。"
    ),
    # kfq sandbox
    "sandbox at {url} with token {token}; stop it with Ctrl-C": "沙箱地址 {url} ，令牌 {token}；按 Ctrl-C 停止",
    "console at {url}": "控制台 {url}",
    "notifications have appId {app_id}; verify them and contract events with the public key {key}": (
        "通知的 appId 为 {app_id}；通知与合同事件用此公钥验签：{key}"
    ),
    "--port must be from 0 to 65535, not {port}": "--port 应为 0 至 65535，而不是 {port}",
    "--token must be printable ASCII without spaces, and not empty": (
        "--token 应为不含空格的可打印 ASCII 字符，且不能为空"
    ),
    "--token does not go with --fixtures: the file holds the tokens": (
        "--token 不能与 --fixtures 同用：令牌由该文件给出"
    ),
    "--without-quirk must be {all} or one of {quirks}, not {unknown}": (
        "--without-quirk 应为 {all} 或 {quirks} 之一，而不是 {unknown}"
    ),
    "default fixtures: every business line, account and seal is known; see --fixtures": (
        "使用默认数据：任何业务线、账号与印章均视为已存在；参见 --fixtures"
    ),
    "try: {command}": "试一试：{command}",
    # kfq doctor and kfq verify-callback
    "--timeout must be more than 0 seconds, and finite, not {seconds:g}": (
        "--timeout 应为大于 0 的有限秒数，而不是 {seconds:g}"
    ),
    "--path is missing: the headers have no request line": "缺少 --path：请求头文件中没有请求行",
    "--public-key needs --app-id for an identity notification, or --event for a contract event": (
        "使用 --public-key 时，认证通知需加 --app-id，合同事件需加 --event"
    ),
    "--tolerance must be at least 0 seconds, and finite, not {seconds:g}": (
        "--tolerance 应为不小于 0 的有限秒数，而不是 {seconds:g}"
    ),
    "--received must be a number of seconds or milliseconds, or ISO 8601 with a zone": (
        "--received 应为秒或毫秒时间戳，或带时区的 ISO 8601"
    ),
    "give --public-key, or --notify with {name} in the environment": (
        "请指定 --public-key，或指定 --notify 并设置环境变量 {name}"
    ),
    "--notify or {name}: {error}": "--notify 或 {name}：{error}",
    "--notify must be like https://your-domain.com/kfq/notify": (
        "--notify 的格式应如 https://your-domain.com/kfq/notify"
    ),
    # Report
    "Identification links: report of a run": "企业认证链接 · 批量申请报告",
    "counts and row numbers only": "仅含数量与行号",
    "Outcomes of one row": "结果：共 {count:,} 行",
    "Throughput": "吞吐量",
    "Latency": "耗时",
    "throughput, {span}": "吞吐量，{span}",
    "rows per {seconds}": "行 / {seconds}",
    "time ({zone})": "时间（{zone}）",
    "latency of calls": "单行耗时",
    "median": "中位数",
    "rows": "行",
    "time per row (log scale)": "单行耗时（对数刻度）",
    "Identification of linked rows": "认证进展",
    "Attempts per row": "请求次数",
    "1 attempt": "{count} 次请求",
    "{count} attempts or more": "{count} 次及以上",
    "Refused rows, by error code": "被平台拒绝的行（按错误码）",
    "Unknown rows": "结果未知的行",
    "run the same command again to retry with the same ids": "再次运行同一命令，将以相同的请求标识重试",
    "Invalid rows": "数据无效的行",
    "Rows with warnings": "有警告的行",
    "none": "无",
    "other": "其他状态",
    "row {rows}": "第 {rows} 行",
    "and {count:,} more": "另有 {count:,} 行",
    # kfq onboard
    "the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN, or use --dry-run": (
        "缺少 appAuthToken；请用 --token 指定、设置 KFQ_APP_AUTH_TOKEN，或使用 --dry-run"
    ),
    "--concurrency must be at least 1, not {value}": "--concurrency 至少为 1，而不是 {value}",
    "--rate-limit must be like 5/s or 100/min, not {value}": "--rate-limit 的格式应如 5/s 或 100/min，而不是 {value}",
    "--page and --notify go together, since both URLs carry the id of their request; give both": (
        "--page 与 --notify 须同时指定，因为两个地址都带有请求标识"
    ),
    "--column must be field=heading, such as company_name=甲方, not {pair}": (
        "--column 的格式应为 字段=表头，例如 company_name=甲方，而不是 {pair}"
    ),
    "--page, --notify or {variable}: {error}": "--page、--notify 或 {variable}：{error}",
    "{name} is not set: generate a secret with {command}, and keep it, since later runs need the same one": (
        "未设置 {name}：请用 {command} 生成密钥并妥善保存，之后的运行须使用同一密钥"
    ),
    "the ledger's callback URLs need {variable}, which is not set: set it as in the last run": (
        "台账中的回调地址需要 {variable}，但未设置：请设为与上次运行相同的值"
    ),
    "the ledger's callback URLs need {variable}; {error}": "台账中的回调地址需要 {variable}；{error}",
    "{folder} holds several ledgers ({names}); name one of them, or a new one, by --ledger": (
        "{folder} 中有多个台账（{names}）；请用 --ledger 指定其一，或指定新台账"
    ),
    "{path} does not exist; give the ledger of kfq onboard": "{path} 不存在；请指定 kfq onboard 的台账",
    "{path} was not written for {ledger}: choose another file with {option}, or add --force to replace it": (
        "{path} 不是为 {ledger} 写出的：请用 {option} 指定其他文件，或加 --force 覆盖"
    ),
    "{out} is the input or the ledger; choose another name with --out": (
        "{out} 就是输入文件或台账；请用 --out 指定其他文件名"
    ),
    "{out} is no list of {ledger}: choose another file with --out, or add --force to replace it": (
        "{out} 不是 {ledger} 的清单：请用 --out 指定其他文件，或加 --force 覆盖"
    ),
    "--out needs --source, the file with the names of the companies": (
        "使用 --out 须同时用 --source 指定含企业名称的文件"
    ),
    (
        "no linked company of {ledger} is in {source}: give the file from which the ledger was made, and read it as "
        "the run did (--column, --sheet, --header-row, --encoding)"
    ): (
        "{source} 中没有 {ledger} 里已获链接的企业：请指定生成该台账的文件，读取选项须与运行时一致（--column、--sheet、"
        "--header-row、--encoding）"
    ),
    (
        "one linked company of the ledger is not in {source}; if the file has it, read it as the run did: --column, "
        "--sheet, --header-row, --encoding"
    ): (
        "台账中已获链接的企业有 {count} 家不在 {source} 中；若文件中确有这些企业，读取选项须与运行时一致：--column、"
        "--sheet、--header-row、--encoding"
    ),
    "as in the ledger's last run: {options}": "沿用台账上次运行的选项：{options}",
    "{options} of the ledger's last run not used, since {path} does not fit": (
        "未沿用台账上次运行的选项 {options}，因为与 {path} 不符"
    ),
    "name the companies; give --expired, --withdrawn or --key": "请指定企业：--expired、--withdrawn 或 --key",
    "{option} matches the rows {rows}; add the account: --key CREDIT_CODE,ACCOUNT": (
        "{option} 对应多行（{rows}）；请加上账号：--key 信用代码,账号"
    ),
    "{option} is not in the ledger; give CREDIT_CODE,ACCOUNT, or the cell of the key column, as in the input": (
        "{option} 不在台账中；请给出 信用代码,账号，或输入文件中键列的单元格"
    ),
    (
        "row {row}: the result of its request is unknown, and a new one could lead to a second order; run kfq onboard "
        "again first, or add --even-unknown"
    ): ("第 {row} 行：请求结果未知，重新申请可能产生第二个订单；请先再次运行 kfq onboard，或加 --even-unknown"),
    "1 company has a new generation: row {rows}. Run kfq onboard again to request its order.": (
        "已重新签发 {count} 家企业：第 {rows} 行。再次运行 kfq onboard 即可申请新订单。"
    ),
    "no company was selected": "没有选中任何企业",
    "1 company deleted": "已删除 {count} 家企业",
    "1 company would be deleted": "将删除 {count} 家企业",
    "platform: {url}": "平台：{url}",
    "tenant: {tenant}": "租户：{tenant}",
    "ledger: {path}": "台账：{path}",
    " (new)": "（新建）",
    "columns: {columns}": "列：{columns}",
    "no column fills {fields}": "没有列对应 {fields}",
    " and ": " 与 ",
    "Send the rows without {fields}? [y/N] ": "没有 {fields}，仍要发送吗？[y/N] ",
    (
        "nothing was sent, since no column fills {fields}: choose one with {example} (one column may fill two "
        "fields), or add --yes to send without"
    ): ("未发送任何请求，因为没有列对应 {fields}：请用 {example} 指定（一列可对应两个字段），或加 --yes 直接发送"),
    (
        "a run would send nothing, since no column fills {fields}: choose one with {example} (one column may fill two "
        "fields), or add --yes to send without"
    ): (
        "正式运行时不会发送任何请求，因为没有列对应 {fields}：请用 {example} 指定（一列可对应两个字段），或加 --yes 直"
        "接发送"
    ),
    "HEADING": "表头",
    "not checked, since no token is given": "未检查（没有令牌）",
    "token #{digits}": "令牌 #{digits}",
    "{token}, as in the last run": "{token}，与上次运行一致",
    "{token}, new to the ledger": "{token}，首次用于该台账",
    "the ledger was copied or moved from {path}: never run two copies, which request companies twice": (
        "该台账由 {path} 复制或移动而来：切勿运行同一台账的两个副本，否则企业会被重复申请"
    ),
    "to send": "待发送",
    "{count} companies: {counts}": "企业 {count} 家：{counts}",
    (
        "1 company got its link without the callback URLs, so no notification about it will come; for a new order "
        "with them, run kfq onboard reissue {ledger} --key KEY, then run the same command again"
    ): (
        "有 {count} 家企业获得链接时未带回调地址，不会收到其通知；如需带上，请运行 kfq onboard reissue {ledger} --key "
        "KEY，然后再次运行同一命令申请新订单"
    ),
    "{count} companies: {counts}; nothing was sent": "企业 {count} 家：{counts}；未发送任何请求",
    "{count} companies: {counts}; {sent} sent in {seconds:.1f} s": (
        "企业 {count} 家：{counts}；用时 {seconds:.1f} 秒，发送 {sent} 个请求"
    ),
    "linked companies: {counts}": "已获链接的企业：{counts}",
    "last run: {began} to {ended}": "上次运行：{began} 至 {ended}",
    "now (in progress, or killed)": "现在（进行中，或已被强制终止）",
    "invalid, never sent: row {rows}": "数据无效、从未发送：第 {rows} 行",
    "now (in progress)": "现在（进行中）",
    "an unknown time (killed, or stopped by an error): run kfq onboard again to resume": (
        "未记录（被强制终止，或因错误中止）：请再次运行 kfq onboard 续跑"
    ),
    "{state}: run kfq onboard again, which retries them with the same ids": (
        "{state}：请再次运行 kfq onboard，将以原请求标识重试"
    ),
    "links: {out}": "链接：{out}",
    "report: {path}": "报告：{path}",
    "row {row}: {state}: {reason}": "第 {row} 行：{state}：{reason}",
    "1 row has warnings ({rows}); the output lists them, and --strict refuses such rows": (
        "有 {count} 行存在警告（第 {rows} 行），详见输出文件；--strict 会拒绝这些行"
    ),
    "and {count} more rows with problems": "另有 {count} 行存在问题",
    "and {count} more rows without a link; the output lists their reasons": "另有 {count} 行没有链接，原因见输出文件",
    "Run the same command again to resume.": "再次运行同一命令即可续跑。",
    "Interrupted. Run the same command again to resume.": "已中断。再次运行同一命令即可续跑。",
    "Finishing the requests in progress. Press Ctrl-C again to stop at once; nothing is lost.": (
        "正在等待进行中的请求完成。再按一次 Ctrl-C 立即停止，数据不会丢失。"
    ),
    "row": "行号",
    "operator": "经办人",
    "contact": "联系方式",
    "key": "键",
    "order_no": "订单号",
    "identity_status": "认证状态",
    "auth_url": "认证链接",
    "To remind": "待提醒",
    "--ca-file {path}: {reason}": "--ca-file {path}：{reason}",
    "it holds no certificate (PEM)": "其中没有 PEM 证书",
}
"""Chinese by message; of a message with a plural, by its singular."""
