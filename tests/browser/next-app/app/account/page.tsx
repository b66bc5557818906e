import { Account } from "./account";

export const dynamic = "force-dynamic";

export default function Page() {
  return <Account apiUrl={process.env.API_URL!} />;
}
