"""Chinese of the help texts: paragraphs of the commands' docstrings, and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MESSAGES"]

MESSAGES: Mapping[str, str] = {
    # General
    "Usage: ": "用法：",
    "COMMAND": "命令",
    "[COMMAND]": "[命令]",
    "[OPTIONS]": "[选项]",
    "Commands": "命令",
    "Arguments": "参数",
    "Parameters": "参数与选项",
    "choices": "可选值",
    "env var": "环境变量",
    "default": "默认",
    "required": "必填",
    "Display this message and exit.": "显示本帮助并退出。",
    "Display application version.": "显示版本号。",
    "Language of texts, en or zh (default: that of the locale). JSON is always English.": (
        "界面语言，en 或 zh（默认取自系统区域设置）。JSON 始终为英文。"
    ),
    ("If the platform reports an error, print its whole message, which may hold personal data. JSON never has it."): (
        "平台返回错误时打印其完整消息（可能含个人信息）。JSON 中始终没有。"
    ),
    "Print JSON instead of text.": "输出 JSON，而非文本。",
    "appAuthToken of your enterprise.": "本企业的 appAuthToken。",
    "Base URL of the platform, including the context path; `kfq sandbox` prints its own.": (
        "平台的接口地址，含上下文路径；沙箱的地址由 `kfq sandbox` 打印。"
    ),
    "HTTP proxy, such as http://host:3128; a password is safer in KFQ_PROXY than on the command line.": (
        "HTTP 代理，例如 http://host:3128；密码放在 KFQ_PROXY 中比放在命令行更安全。"
    ),
    "File of certificates (PEM) that are trusted besides those of the system, such as that of your own CA.": (
        "除系统证书外额外信任的证书文件（PEM），例如自建 CA 的证书。"
    ),
    "Use the proxy of the environment (https_proxy, http_proxy, all_proxy, no_proxy).": (
        "使用环境变量中的代理（https_proxy、http_proxy、all_proxy、no_proxy）。"
    ),
    "Contracts of 开放签 (Kaifangqian), identification links for one company or many, and a sandbox.": (
        "开放签（Kaifangqian）命令行：合同签署、单个或批量企业的认证链接，以及本地沙箱。"
    ),
    (
        "Exit status: 0 success, 1 failure, 2 usage error, 130 interrupted; `kfq contract` and `kfq onboard` list "
        "further ones."
    ): ("退出码：0 成功，1 失败，2 用法错误，130 被中断；`kfq contract` 与 `kfq onboard` 另有说明。"),
    "Print the script that completes commands and options in a shell.": "打印 shell 的自动补全脚本。",
    (
        "Load it with `source <(kfq completion bash)` in `~/.bashrc`; write it to `_kfq` in a folder of zsh's "
        "`fpath`, or to `~/.config/fish/completions/kfq.fish`."
    ): (
        "bash：在 `~/.bashrc` 中加入 `source <(kfq completion bash)`；zsh：写入 `fpath` 某目录下的 `_kfq`；fish：写入 "
        "`~/.config/fish/completions/kfq.fish`。"
    ),
    "Shell that the script is for.": "脚本对应的 shell。",
    # kfq contract
    "Draw a contract before it is sent, create it, and look at it afterwards.": (
        "发起前预览合同、创建合同，以及发起后的查询与处理。"
    ),
    (
        "Exit status: 0 success, 1 the call failed, 2 usage error, 4 find finds nothing, 5 the contract has ended "
        "otherwise, 6 the contract is not complete yet, 7 the contract is stuck, 8 a change may have taken effect, so "
        "look at the contract before you repeat it, 130 interrupted."
    ): (
        "退出码：0 成功，1 调用失败，2 用法错误，4 find 未找到关键字，5 合同已以其他方式结束，6 合同尚未完成，7 合同已"
        "卡住，8 变更可能已生效（重试前请先查询合同），130 被中断。"
    ),
    "Download the documents of a complete contract: a PDF, or a ZIP of several.": (
        "下载已完成合同的文件：单份为 PDF，多份为 ZIP。"
    ),
    "Upload a document, and create a contract of it; with --send, start it.": (
        "上传文件并创建合同；加 --send 则同时发起。"
    ),
    "Find a keyword in a PDF as the platform will find it, and show where its mark will stand.": (
        "按平台的规则在 PDF 中查找关键字，并给出签章的落点。"
    ),
    "Print a link to a contract for one person.": "打印供某一人打开合同的链接。",
    "Draw the pages of a PDF with the marks that a draft of the same options will get; nothing is sent.": (
        "绘制 PDF 页面及相同选项下草稿的签章位置；不发送任何请求。"
    ),
    "Withdraw a contract that is being signed, filled in or approved, and print its state afterwards.": (
        "撤回签署中、填写中或审批中的合同，并打印撤回后的状态。"
    ),
    "Print the state of a contract and its open tasks.": "打印合同状态与待办任务。",
    "Wait until a contract is complete, and print its state.": "等待合同完成，并打印其状态。",
    (
        "A hit counts from the first character of the piece of text that holds the keyword, in Chinese usually the "
        "start of the line. Predicted by rules that were measured at one release of the platform; nothing is sent. "
        "Exit status 4: the platform finds nothing."
    ): (
        "命中位置从关键字所在文本块的首字符算起，中文通常即行首。按平台某一版本实测的规则推算，不发送任何请求。退出码 "
        "4：平台找不到该关键字。"
    ),
    "The PDF.": "PDF 文件。",
    "Text to find; letter case and width count.": "要查找的文字，区分大小写与全角半角。",
    "Kind of mark: seal, sign (signature), date, or chop (cross-page seal).": (
        "签章类型：seal 印章、sign 签字、date 日期、chop 骑缝章。"
    ),
    "Points to the right of the hit.": "相对命中位置向右偏移的点数。",
    "Points below the hit.": "相对命中位置向下偏移的点数。",
    "Width of the box in points, 10 to 120 (default: 112 for a signature, else 120).": (
        "控件宽度，10 至 120 点（默认：签字 112，其余 120）。"
    ),
    "Height of the box in points, 10 to 120 (default: 52 for a signature, 30 for a date, else 120).": (
        "控件高度，10 至 120 点（默认：签字 52，日期 30，其余 120）。"
    ),
    (
        "Size of the seal's or signature's picture in pixels, such as 240x120, whose proportions the mark keeps "
        "(default: a square one)."
    ): ("印章或签字图片的像素尺寸，例如 240x120；签章保持其宽高比（默认按正方形）。"),
    "Needs the extra preview. Exit status 1: the platform would refuse a position.": (
        "需安装可选依赖 preview。退出码 1：平台会拒绝某个签章位置。"
    ),
    "Id of the business line (业务线).": "业务线 ID。",
    "Employee who initiates the contract, as NAME:CONTACT, such as 李四:13800138000.": (
        "发起合同的员工，格式为 姓名:联系方式，例如 李四:13800138000。"
    ),
    "Title of the contract (default: the name of the file).": "合同名称（默认为文件名）。",
    (
        "Place of your company's seal, repeatable: KEYWORD@last, or @first or @every, with an offset in points to the "
        "right and down such as @last+60,-5; or @PAGE:LEFT,TOP in points as a reader sees the page."
    ): (
        "本企业印章的位置，可重复：关键字@last（或 @first、@every），可加向右、向下的偏移点数，例如 @last+60,-5；或 @"
        "页码:左,上，以读者所见页面的点数为准。"
    ),
    "Id of the seal.": "印章 ID。",
    "Let the operator apply the seal on the signing page, and not the platform at once.": (
        "由经办人在签署页盖章，而非平台自动盖章。"
    ),
    "Cross-page seal (骑缝章) of your company: its distance in points from the top of the pages.": (
        "本企业的骑缝章：距页面顶端的点数。"
    ),
    "Person who signs, as NAME:CONTACT, repeatable; they sign in this sequence, after your company.": (
        "个人签署人，格式为 姓名:联系方式，可重复；在本企业之后按此顺序签署。"
    ),
    "Place of a signature, as for --seal: the first is that of the first signer, the second that of the second.": (
        "签字位置，写法同 --seal：第一个对应第一位签署人，第二个对应第二位。"
    ),
    "Whether keywords are found here, and sent as coordinates, or by the platform, as kfq contract find shows.": (
        "关键字由本机查找并以坐标提交（here），或交由平台查找（platform，结果见 kfq contract find）。"
    ),
    "Signing deadline, such as 2027-01-31; the day itself is not included.": (
        "签署截止日期，例如 2027-01-31，不含当日。"
    ),
    "Let all parties sign at once, and not one after the other.": "各方同时签署，而非依次签署。",
    "Do not finish the contract after the last signature.": "最后一方签署后不自动结束合同。",
    (
        "The whole request instead of the options above, used with this document: JSON with the platform's field "
        "names, as --dry-run prints it; or a Python file, whose function request(document) returns a "
        "ContractDraftRequest."
    ): (
        "以整个请求代替上述选项并套用本文件：使用平台字段名的 JSON（同 --dry-run 的输出）；或 Python 文件，其函数 "
        "request(document) 返回 ContractDraftRequest。"
    ),
    "Size of the seals' and signatures' pictures in pixels, such as 240x120, whose proportions the marks keep.": (
        "印章与签字图片的像素尺寸，例如 240x120；签章保持其宽高比。"
    ),
    "HTML page to write, or a folder for one PNG a page (default: next to the PDF, NAME.preview.html).": (
        "输出的 HTML 文件，或存放每页 PNG 的目录（默认：PDF 旁的 NAME.preview.html）。"
    ),
    "Draw the pages without a mark, too.": "没有签章的页面也绘制。",
    "Open the HTML page in the browser.": "在浏览器中打开 HTML 页面。",
    "Print the marks as JSON instead of text.": "以 JSON 而非文本打印签章。",
    (
        "All is checked before anything is sent; kfq contract preview draws it. Other users of the machine can see "
        "command lines: pass personal data in --request. Exit status 7: the contract was started, and is stuck; 8: a "
        "contract may exist whose id was not received."
    ): (
        "发送前会完成全部检查；可用 kfq contract preview 预览。本机其他用户能看到命令行，个人信息请放入 --request 文件"
        "。退出码 7：合同已发起但卡住；8：合同可能已创建，但未收到其 ID。"
    ),
    "The document: PDF, Word or Excel. Keywords are found in a PDF (extra pdf).": (
        "合同文件：PDF、Word 或 Excel。仅 PDF 可查找关键字（可选依赖 pdf）。"
    ),
    "Start the contract, so that the parties are asked to sign.": "发起合同，通知各方签署。",
    "Print the request as JSON, and send nothing.": "以 JSON 打印请求，不发送。",
    "Id of the contract.": "合同 ID。",
    "With --no-login, whoever has the link can sign, approve and refuse as that person.": (
        "使用 --no-login 时，任何持有链接的人都能以该身份签署、审批或拒签。"
    ),
    "Account that the link is for: mobile number or e-mail address.": "链接对应的账号：手机号或邮箱。",
    "Task to open, from `kfq contract status` (default: the contract).": (
        "要打开的任务，取自 `kfq contract status`（默认打开合同）。"
    ),
    "Name of the person or enterprise to act as.": "以哪个个人或企业的名义操作。",
    "Make a link that opens without a login.": "生成免登录链接。",
    "Hours until a link without login expires, at most 72 (default: 72).": (
        "免登录链接的有效小时数，最长 72（默认 72）。"
    ),
    (
        "Looks at it every few seconds at first, and once a minute later. Exit status 5: it has ended otherwise, such "
        "as refused or withdrawn; 6: --total has expired; 7: it is stuck."
    ): (
        "起初每隔几秒查询一次，之后每分钟一次。退出码 5：已以其他方式结束（如拒签、撤回）；6：超过 --total；7：合同已"
        "卡住。"
    ),
    "State to wait for, repeatable.": "等待的目标状态，可重复。",
    "Limit of the wait in seconds (default: none).": "最长等待秒数（默认不限）。",
    (
        "The contract is known to finish by itself (it was not drafted with autoFinish 0), so that it is stuck once "
        "it waits for no one."
    ): ("已知合同会自动结束（创建时 autoFinish 不为 0），因此一旦无人待办即判定为卡住。"),
    (
        "Exit status 5: the contract has become complete, or ended otherwise, in the same moment. One that had ended "
        "before is refused by the platform, with exit status 1."
    ): ("退出码 5：合同恰好在此刻完成，或以其他方式结束。此前已结束的合同会被平台拒绝撤回，退出码为 1。"),
    "Exit status 6: the contract is not complete yet, and nothing was downloaded.": (
        "退出码 6：合同尚未完成，未下载任何文件。"
    ),
    "Account of a party, or of one who is authorised to download: mobile number or e-mail address.": (
        "签署方或有下载权限者的账号：手机号或邮箱。"
    ),
    "Folder, if it exists or ends with /; otherwise the file, which is replaced if it exists.": (
        "已存在或以 / 结尾时视为目录；否则视为文件，已存在则覆盖。"
    ),
    "Download a contract that is not complete, with the signatures made so far.": (
        "允许下载未完成的合同，含目前已有的签字与印章。"
    ),
    # kfq demo
    "Request identification links for a few hundred invented companies from a sandbox that injects faults.": (
        "从注入故障的沙箱为数百家虚构企业申请认证链接。"
    ),
    (
        "The sandbox runs as a separate process. It delays some responses, loses some requests, and loses the "
        "responses of others that it has executed. Each company must end with exactly one order: the exit status is 1 "
        "otherwise."
    ): (
        "沙箱在独立进程中运行，会延迟部分响应、丢失部分请求，并丢弃部分已执行请求的响应。每家企业最终必须恰有一个订单"
        "，否则退出码为 1。"
    ),
    (
        "CSV, XLSX, XLS or JSON Lines, with the headings of `kfq onboard` (default: the CSV of the package, with "
        "company_name, credit_code, legal_rep_name, company_type, account_name, operator_name, id_card and mobile)."
    ): (
        "CSV、XLSX、XLS 或 JSON Lines，表头同 `kfq onboard`（默认使用包内 CSV，含 company_name、credit_code、"
        "legal_rep_name、company_type、account_name、operator_name、id_card、mobile）。"
    ),
    "Number of concurrent requests.": "并发上限。",
    "Seed of the faults, which are drawn in the order in which requests arrive.": (
        "故障的随机种子，按请求到达顺序抽取。"
    ),
    (
        "Show every company. Otherwise a terminal shows the first ten and those that needed a retry or have no link; "
        "a file or a pipe always gets all."
    ): ("显示全部企业。否则终端只显示前十家，以及重试过或没有链接的企业；输出到文件或管道时总是全部显示。"),
    # kfq doctor
    "Check base URL, proxy, connection, platform, edition, clock, token and callback URL, and name the remedies.": (
        "检查接口地址、代理、连接、平台、版本、时钟、令牌与回调地址，并给出处理办法。"
    ),
    (
        "Nothing is changed: the token is tried by a look at the tasks of a contract that does not exist. `?` marks "
        "what cannot be told from here, or is not documented. Exit status: 0 no check failed, 1 one failed, 2 usage "
        "error, 130 interrupted."
    ): (
        "不做任何变更：通过查询一份不存在的合同的任务来验证令牌。`?` 表示在本机无法判断，或没有文档依据。退出码：0 没"
        "有检查失败，1 有检查失败，2 用法错误，130 被中断。"
    ),
    "URL of your own to which the platform sends notifications, to be tried from this machine with a GET.": (
        "自己的回调地址，将从本机发一次 GET 进行检查。"
    ),
    "Limit of each request in seconds, once for the connection and once for the response.": (
        "每个请求的超时秒数，建立连接与等待响应分别计时。"
    ),
    # kfq link
    "Request the link of the page where a company's operator identifies the company.": (
        "申请企业认证页面的链接，由经办人打开并完成认证。"
    ),
    (
        "To retry a request whose response was lost, give the same --client-request-id and the same data. Other users "
        "of the machine can see command lines: pass personal data in --file."
    ): (
        "若要重试响应丢失的请求，请使用相同的 --client-request-id 与相同的数据。本机其他用户能看到命令行，个人信息请放"
        "入 --file。"
    ),
    "Name of the company (企业名称).": "企业名称。",
    "Its unified social credit code (统一社会信用代码).": "统一社会信用代码。",
    "Its legal representative (法定代表人).": "法定代表人。",
    "Type of the company (企业类型): 1 company, 2 sole trader, 3 other.": "企业类型：1 企业，2 个体工商户，3 其他。",
    "Account of the operator (经办人账号): mobile number or e-mail address.": "经办人账号：手机号或邮箱。",
    "Id of the operator in your own system (经办人ID).": "经办人在您系统中的 ID。",
    "Name of the operator (经办人姓名).": "经办人姓名。",
    "Number of the operator's identity document (经办人证件号码).": "经办人证件号码。",
    "Type of that document (经办人证件类型); 1 is a resident card.": "经办人证件类型；1 为居民身份证。",
    "Mobile number of the operator (经办人手机号).": "经办人手机号。",
    "Bank card of the operator (经办人银行卡号).": "经办人银行卡号。",
    "Way to verify the company (企业验证方式), repeatable: legalRep, invite, letter.": (
        "企业验证方式，可重复：legalRep、invite、letter。"
    ),
    "Way to verify the operator (个人验证方式), repeatable: face, mobile.": (
        "经办人的个人验证方式，可重复：face、mobile。"
    ),
    "Page (前端跳转页) to which the browser is sent afterwards.": "前端跳转页：认证结束后浏览器跳转的页面。",
    "URL (异步回调地址) to which the platform sends notifications.": "异步回调地址：平台发送通知的地址。",
    "Your id for this request (客户端请求唯一标识; default: a random one).": "客户端请求唯一标识（默认随机生成）。",
    (
        "The whole request as JSON, with the platform's field names, instead of the options above; - reads standard "
        "input."
    ): ("以 JSON 给出整个请求（使用平台字段名），代替上述选项；- 表示读取标准输入。"),
    "Total timeout in seconds, including retries.": "总超时秒数，含重试。",
    # kfq onboard
    "Request links for the companies of a spreadsheet, and write them next to its columns.": (
        "为表格中的企业批量申请认证链接，并写在原有各列之后。"
    ),
    (
        "Run the same command again to resume: a company with a link keeps it, a request that may have been sent is "
        "retried with the same id, and the others are sent for the first time. Exit status: 0 all linked, 1 some rows "
        "not linked, 2 usage error, 3 paused by a systemic failure (such as a refused token), 130 interrupted."
    ): (
        "再次运行同一命令即可续跑：已有链接的企业保留链接，可能已发出的请求以相同的请求标识重试，其余首次发送。退出码"
        "：0 全部获得链接，1 部分行没有链接，2 用法错误，3 因全局性故障暂停（如令牌失效），130 被中断。"
    ),
    "List the links of a ledger, one per line: row, key, order, status, link. Links are secrets.": (
        "列出台账中的链接，每行一条：行号、键、订单号、状态、链接。链接属于敏感信息。"
    ),
    "Delete companies that finished before a day (identified, withdrawn, expired or refused), with all generations.": (
        "删除某日之前已有最终结果（已认证、已撤销、已失效或被拒绝）的企业及其全部历次申请。"
    ),
    "Open the next generation of companies, so that the next run requests a new order for each.": (
        "为企业重新签发：下次运行时以新的请求标识各申请一个新订单。"
    ),
    "Show the status of the companies of a ledger, also during a run.": "显示台账中各企业的状态，运行期间也可使用。",
    "CSV, XLSX, XLS or JSON Lines, with Chinese or English headings.": (
        "CSV、XLSX、XLS 或 JSON Lines，表头为中文或英文。"
    ),
    "Output with the links: .xlsx, .csv or .jsonl (default: next to the input, NAME.links.xlsx and so on).": (
        "含链接的输出文件：.xlsx、.csv 或 .jsonl（默认：输入文件旁的 NAME.links.xlsx 等）。"
    ),
    (
        "Ledger with the request ids, written before anything is sent (default: next to the input: NAME.ledger, or "
        "the only ledger of the folder, so that a renamed copy of the input is recognised)."
    ): (
        "保存请求标识的台账，发送前先写入（默认：输入文件旁的 NAME.ledger，或该目录中唯一的台账，因此改名后的副本也能"
        "识别）。"
    ),
    "HTML report (default: next to the input, NAME.report.html).": "HTML 报告（默认：输入文件旁的 NAME.report.html）。",
    (
        "Heading of the column that identifies a company (default: as in the ledger's last run, or credit code and "
        "account together)."
    ): ("用于标识企业的列的表头（默认：沿用台账上次运行的设置，否则为统一社会信用代码与账号的组合）。"),
    (
        "field=heading for a heading that is not recognised, such as company_name=甲方; repeatable (default: as in the "
        "ledger's last run)."
    ): ("为无法识别的表头指定字段，格式为 字段=表头，例如 company_name=甲方；可重复（默认：沿用台账上次运行的设置）。"),
    "Sheet of a workbook (default: as in the ledger's last run, or the first visible one that is not empty).": (
        "工作簿中的工作表（默认：沿用台账上次运行的设置，否则为第一个可见且非空的工作表）。"
    ),
    "Encoding of a text file: utf-8 or gb18030 (default: as in the ledger's last run, or detected).": (
        "文本文件的编码：utf-8 或 gb18030（默认：沿用台账上次运行的设置，否则自动识别）。"
    ),
    "Row of the headings (default: as in the ledger's last run, or the first one, or the one below a title).": (
        "表头所在行（默认：沿用台账上次运行的设置，否则为第一行，或标题之下的一行）。"
    ),
    "Check the rows and compare them with the ledger; send and write nothing.": (
        "检查各行并与台账比对；不发送也不写入任何内容。"
    ),
    "Treat warnings, such as a wrong check digit, as errors.": "将警告（例如校验位不符）视为错误。",
    "Send without asking, also if no column fills company_name or account_name.": (
        "不再询问，直接发送，即使没有列对应 company_name 或 account_name。"
    ),
    "Replace files at --out and --report that were not written for this ledger.": (
        "覆盖 --out 与 --report 处并非为此台账写出的文件。"
    ),
    "The token is a new one of the enterprise to which the ledger belongs.": "该令牌是台账所属企业的新令牌。",
    "Request a new order for each refused row.": "为每个被拒绝的行申请新订单。",
    "Number of concurrent requests (default: 10, or 50 with a sandbox on this machine).": (
        "并发上限（默认 10；沙箱在本机时为 50）。"
    ),
    "Maximum rate of requests, such as 5/s or 100/min (default: no limit).": (
        "请求速率上限，例如 5/s 或 100/min（默认不限）。"
    ),
    (
        "前端跳转页. Each request's id and its HMAC are appended; needs KFQ_CALLBACK_SECRET, a secret in hexadecimal, "
        "or a new one and former ones, separated by commas (default: as in the ledger's last run)."
    ): (
        "前端跳转页，其后附加每个请求的标识与 HMAC；需设置 KFQ_CALLBACK_SECRET：十六进制密钥，或以逗号分隔的新密钥与旧"
        "密钥（默认同台账上次运行）。"
    ),
    (
        "异步回调地址, with the same suffix (default: as in the ledger's last run). "
        "kfq_async.onboarding.completion_handler records in the ledger which companies have finished."
    ): (
        "异步回调地址，附加同样的后缀（默认同台账上次运行）。kfq_async.onboarding.completion_handler 会在台账中记录已"
        "完成认证的企业。"
    ),
    "Ledger of `kfq onboard`.": "`kfq onboard` 的台账。",
    "Only companies to remind: those that have not finished, according to notifications.": (
        "只列出需要提醒的企业：按回调通知尚未完成认证的企业。"
    ),
    "Print JSON Lines instead of tab-separated text.": "输出 JSON Lines，而非制表符分隔的文本。",
    "Ledger of `kfq onboard`; it keeps the old orders on record.": "`kfq onboard` 的台账；旧订单仍保留记录。",
    "Companies whose order expired.": "订单已失效的企业。",
    "Companies whose order was withdrawn.": "订单已撤销的企业。",
    "One company, repeatable: its credit code, or CREDIT_CODE,ACCOUNT, or its cell in the key column.": (
        "指定一家企业，可重复：统一社会信用代码，或 信用代码,账号，或其键列单元格的内容。"
    ),
    "Accept a key even if the result of its last request is unknown: there may then be two orders.": (
        "即使上次请求的结果未知也接受该键：可能因此产生两个订单。"
    ),
    "Keep keys that are no credit code readable in the ledger, to find companies by them.": (
        "在台账中以明文保留非统一社会信用代码的键，以便据此查找企业。"
    ),
    (
        "With --source, each line also has company, operator and contact after the row: the list of whom to remind. "
        "Exit status: 0, or 1 if the source lacks some of the companies."
    ): (
        "使用 --source 时，每行在行号之后还有企业、经办人与联系方式，即需要提醒的名单。退出码：0；若文件中缺少部分企业"
        "，则为 1。"
    ),
    "File of companies from which the names are taken; only its rows are listed.": (
        "提供名称的企业文件；只列出其中的行。"
    ),
    "File to write, with --source: .xlsx, .csv or .jsonl.": "输出文件（须配合 --source）：.xlsx、.csv 或 .jsonl。",
    "Replace a file at --out that is no list of this ledger.": "覆盖 --out 处并非此台账清单的文件。",
    "Show keys that are no credit code, such as your own numbers.": "显示非统一社会信用代码的键，例如您自己的编号。",
    "Show keys that are no credit code in messages.": "在消息中显示非统一社会信用代码的键。",
    "List the companies, one per line: row, key, order, status. Delete nothing.": (
        "列出企业，每行一家：行号、键、订单号、状态；不删除。"
    ),
    "First remove them from the spreadsheet: a deleted company that is still there would be requested again.": (
        "请先从表格中移除这些企业：已删除但仍在表格中的企业会被重新申请。"
    ),
    "Day such as 2026-01-31, in the time zone of this machine.": "日期，例如 2026-01-31，按本机时区。",
    # kfq sandbox
    "Serve the protocol of the platform on loopback, for development and tests.": (
        "在本机回环地址上模拟平台接口，供开发与测试使用。"
    ),
    "Nothing here is real; the sandbox makes assumptions where the platform's documentation is silent.": (
        "沙箱中的一切均为虚构；平台文档未说明之处由沙箱自行假定。"
    ),
    "Port on 127.0.0.1; 0 chooses a free one.": "127.0.0.1 上的端口；0 表示自动选择空闲端口。",
    "SQLite file for orders, contracts, notifications, events and the signing key (default: memory).": (
        "保存订单、合同、通知、事件与签名密钥的 SQLite 文件（默认仅存于内存）。"
    ),
    "Accepted appAuthToken, repeatable (default: PV9LQWZA, the token of the published sample).": (
        "可接受的 appAuthToken，可重复（默认 PV9LQWZA，即官方示例中的令牌）。"
    ),
    (
        "Fault to inject, repeatable: `KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]`, such as "
        "`delay:0.3@0.05`, `lose-response*2`, `502/acted` or `503:2*1@0.5`. --faults lists the kinds; `code-41003` and "
        "`internal-510` stand for any error code of 3 to 6, and of 3 digits. Some kinds allow neither /acted nor "
        "/unacted. SECONDS is 0 or more, TIMES a whole number from 0 on, PROBABILITY from 0 to 1. Faults with TIMES "
        "and no PROBABILITY take turns; all others are drawn independently, and a request can meet several."
    ): (
        "要注入的故障，可重复：`KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]`，例如 `delay:0.3@0.05`、"
        "`lose-response*2`、`502/acted` 或 `503:2*1@0.5`。可用 --faults 列出全部类型；`code-41003` 与 `internal-510` 分"
        "别代表任意 3 至 6 位与 3 位错误码。部分类型不支持 /acted 与 /unacted。SECONDS 不小于 0，TIMES 为不小于 0 的整"
        "数，PROBABILITY 为 0 至 1。指定 TIMES 而未指定 PROBABILITY 的故障依次生效，其余独立随机抽取，一个请求可能遇到"
        "多个故障。"
    ),
    "Seed of the faults and of the quirk `collisions`, which are drawn in the order in which requests arrive.": (
        "故障与 `collisions` 缺陷的随机种子，按请求到达顺序抽取。"
    ),
    (
        "JSON file with the enterprises, tokens, accounts, seals and business lines of a self-hosted platform "
        "(default: every business line, account and seal is taken for known)."
    ): ("描述私有化部署平台的企业、令牌、账号、印章与业务线的 JSON 文件（默认：任何业务线、账号与印章均视为已存在）。"),
    (
        "Refuse undocumented fields and values, malformed URLs and accounts, and what the platform would silently "
        "drop, so that a mistake fails here first (default: only without --fixtures; otherwise the answer is that of "
        "the platform, which ignores and converts)."
    ): (
        "拒绝未记载的字段与取值、格式错误的网址与账号，以及平台会静默丢弃的内容，使错误先在此暴露（默认：仅在不使用 "
        "--fixtures 时；否则与平台的响应一致，即忽略或转换）。"
    ),
    (
        "Response to a call beyond the rate limit: `internal` (envelope B, 500), `api` (envelope A, 999999), or "
        "`hidden` (the hidden error page; with operatorAccount as `api`). The packaging of a platform decides. `none` "
        "sets no limit."
    ): (
        "触发限流时的响应：`internal`（响应体结构 B，500）、`api`（响应体结构 A，999999）或 `hidden`（被隐藏的错误页；"
        "带 operatorAccount 时同 `api`），取决于平台的部署方式。`none` 表示不限流。"
    ),
    "Quirk of the platform that is not imitated, repeatable; `all` for none. --quirks lists the names.": (
        "不模仿的平台缺陷，可重复；`all` 表示全部不模仿。可用 --quirks 列出名称。"
    ),
    "Stop when standard input ends, for a program that starts the sandbox and holds the other end of the pipe.": (
        "标准输入结束时停止，供启动沙箱并持有管道另一端的程序使用。"
    ),
    "List the kinds of faults, and exit.": "列出故障类型并退出。",
    "List the quirks of the platform that are imitated, and exit.": "列出所模仿的平台缺陷并退出。",
    "appId in the header of the notifications to authCallbackUrl.": "发往 authCallbackUrl 的通知请求头中的 appId。",
    (
        "File with the RSA key that signs notifications and contract events, in PEM, bare base64 or DER (default: a "
        "generated key, kept in the state file)."
    ): ("用于签名通知与合同事件的 RSA 私钥文件，PEM、纯 base64 或 DER 格式（默认自动生成并保存在状态文件中）。"),
    "Host other than this machine to which notifications and contract events may be sent, repeatable.": (
        "除本机外允许接收通知与合同事件的主机，可重复。"
    ),
    (
        "Host besides localhost and the loopback addresses under which the sandbox can be reached, such as the name "
        "of a proxy, repeatable."
    ): ("除 localhost 与回环地址外，可用于访问沙箱的主机名，例如代理的域名，可重复。"),
    (
        "Factor by which the platform's own retry schedule of events is accelerated: three attempts back to back, "
        "then after 5 minutes, 2 hours and a day, each divided by it (default: after 5, 15 and 60 seconds)."
    ): (
        "将平台的事件重试计划加速的倍数：先连续尝试三次，之后分别在 5 分钟、2 小时、1 天后重试，间隔均除以该倍数（默认"
        "：5、15、60 秒后）。"
    ),
    "Print one line of JSON instead of text: addresses, token, appId and public key, as soon as it serves.": (
        "开始服务后打印一行 JSON 而非文本：地址、令牌、appId 与公钥。"
    ),
    "Complete the identification of an order of a running sandbox: orderStatus 1.": (
        "完成运行中沙箱某订单的认证：orderStatus 1。"
    ),
    (
        "The page is submitted as it is filled in, and the notification is sent. Exit status: 0 success, 1 the "
        "sandbox cannot do it or does not run, 2 usage error."
    ): ("按页面现有内容提交，并发送通知。退出码：0 成功，1 沙箱无法执行或未运行，2 用法错误。"),
    "orderNo, as `kfq link` and `kfq sandbox orders` print it.": (
        "orderNo，见 `kfq link` 与 `kfq sandbox orders` 的输出。"
    ),
    "Base URL that `kfq sandbox` prints.": "`kfq sandbox` 打印的接口地址。",
    "Submit the page of an order, and leave the identification in progress: orderStatus 2.": (
        "提交某订单的页面，使认证处于进行中：orderStatus 2。"
    ),
    "Abandon the identification of an order: orderStatus 3.": "撤销某订单的认证：orderStatus 3。",
    "Let an order expire: orderStatus 4.": "使某订单失效：orderStatus 4。",
    "Send the newest notification of an order once more.": "重新发送某订单最近一次通知。",
    "Fault of this delivery, such as `callback-duplicate` or `callback-corrupt`; `kfq sandbox --faults` lists them.": (
        "本次投递的故障，例如 `callback-duplicate` 或 `callback-corrupt`；可用 `kfq sandbox --faults` 列出。"
    ),
    "List the orders of a running sandbox, oldest first: orderNo, state, clientRequestId and company.": (
        "按时间先后列出运行中沙箱的订单：orderNo、状态、clientRequestId 与企业。"
    ),
    # kfq verify-callback
    "Check the proofs of a saved notification and, where one fails, name the step that differs.": (
        "校验已保存通知的签名等凭证，并指出不一致的环节。"
    ),
    (
        "The signature is checked with --public-key, and the bound URL with --notify and KFQ_CALLBACK_SECRET. The "
        "output holds nothing of the notification but sizes, clientRequestId, and a prefix of the path that a proxy "
        "added or removed. Exit status: 0 all checks pass, 1 one fails, 2 usage error."
    ): (
        "签名用 --public-key 校验，绑定的地址用 --notify 与 KFQ_CALLBACK_SECRET 校验。除长度、clientRequestId 以及代理"
        "增删的路径前缀外，输出不含通知内容。退出码：0 全部通过，1 有一项失败，2 用法错误。"
    ),
    "File with the raw bytes of the body; - reads standard input.": "请求体原始字节的文件；- 表示读取标准输入。",
    "File with the headers: lines as in HTTP, with or without the request line, or JSON.": (
        "请求头文件：HTTP 格式的文本（可含请求行），或 JSON。"
    ),
    "Raw path of the request (default: that of the request line).": "请求的原始路径（默认取自请求行）。",
    "File with a public key of the platform, in PEM, bare base64 or DER, repeatable.": (
        "平台公钥文件，PEM、纯 base64 或 DER 格式，可重复。"
    ),
    "appId of your application, for an identity notification.": "您的应用的 appId，用于认证通知。",
    "It is a contract event, whose signature covers the body alone.": "表示这是合同事件，其签名只覆盖请求体。",
    "Callback URL as the platform has it, without the segment of a bound URL.": (
        "平台所知的回调地址，不含绑定的路径段。"
    ),
    "Time of reception: seconds or milliseconds since the epoch, or ISO 8601 with a zone.": (
        "接收时间：Unix 秒或毫秒时间戳，或带时区的 ISO 8601。"
    ),
    "Seconds by which the timestamp may differ from the time of reception.": "时间戳与接收时间之间允许相差的秒数。",
}
"""Chinese by English paragraph, in which line breaks are blanks."""
